//! Components in registries, through the real binary.
//!
//! # Layout
//! - [`registry`]: Debian's `docker-registry` and `skopeo`, a registry and a client of others
//! - [`journey`]: push and pull, by tag and digest, signed, with a login, into a stage's place
//! - [`foreign`]: what we push others pull, and the reverse
//! - [`hostile`]: registries that lie, stall, send too much or send us elsewhere

pub(crate) mod registry;

mod foreign;
mod hostile;
mod journey;
