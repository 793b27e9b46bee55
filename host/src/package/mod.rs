//! What is shipped to a platform: folders of files that its tools deploy.
//!
//! # Layout
//! - `elf`: what a binary needs of the machine it is to start on.
//! - `azure`: function apps, their infrastructure, and the check of both.
//! - `spin`: applications for Spin, composed of a stage's untouched bytes and what they need there.
//!
//! It writes and reads files of a package. It must not open a store, run a stage or speak to a
//! platform.

pub mod azure;
pub mod elf;
pub mod spin;
