//! What holds the house together: equal bytes from equal sources, versions of the contracts, and
//! the rules of ARCHITECTURE.md.
//!
//! # Layout
//! - [`guests`]: the build of components, shared with the host's build script
//! - [`reproducible`]: two clean builds give equal bytes
//! - [`wit`]: the contracts change only with a version step
//! - [`tidy`]: who may name whom, which component may import what

#[path = "../../host/build/guests.rs"]
pub(crate) mod guests;

mod reproducible;
mod tidy;
mod wit;
