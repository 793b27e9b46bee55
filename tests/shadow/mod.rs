//! Components that are given copies of the calls of a run, and come into force when they answer alike.
//!
//! # Layout
//! - [`data`]: data that say how a component answers otherwise, and what is reported of it
//! - [`promoted`]: from matches to a promotion and back, whichever of the two is built in
//! - [`reported`]: what differs is named, and nothing that a shadow gives does harm
//! - [`models`]: of a training, what its models predict counts

mod data;
mod models;
mod promoted;
mod reported;
