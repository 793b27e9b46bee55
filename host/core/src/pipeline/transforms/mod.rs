//! The names of user transforms, and the components that they stand for.
//!
//! # Layout
//! - `name`: what a transform may be called, and how a user means one: `NAME` or `NAME@2`.
//! - `event`, `state`: the entries of one log that only grows; the log folded.
//! - `book`: reads the log and appends to it.
//!
//! A name is for people: a run pins the digests when it is created, a model names digests alone, and so
//! nothing that was trained depends on what becomes of a name. This module must not know what a
//! transform does: whether it may be used was settled before it came here.

mod book;
mod event;
mod name;
mod state;

pub use book::{Added, Transforms};
pub use event::{Addition, Entry, Event, Removal};
pub use name::{TransformRef, check_transform};
pub use state::{NamedTransform, TransformVersion};
