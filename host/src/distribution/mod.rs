//! Stages' components in registries: the layout of the CNCF's artifacts for Wasm, over the protocol
//! of OCI registries.
//!
//! # Layout
//! - `reference`: `oci://HOST/REPO:TAG@sha256:…`, as it is typed. Pure.
//! - `artifact`: a component as manifest, configuration and layer, and back. Pure.
//! - `challenge`: what a registry asks for before it lets somebody in. Pure.
//! - `remote`: requests to one registry, with bounds on all that comes back.
//! - `trouble`: answers and failures as one line.
//! - `transfer`: push and pull.
//!
//! It must not decide whether a component is taken: `trust` and `swap` do. It must not read settings,
//! run what credential helper there is, or write files.

mod artifact;
mod challenge;
mod reference;
mod remote;
mod transfer;
mod trouble;

pub use artifact::{Contents, Packed};
pub use reference::Reference;
pub use remote::Credentials;
pub use transfer::{Pulled, Terms, pull, push};
