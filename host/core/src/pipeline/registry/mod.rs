//! Versions of models and the aliases that point at them.
//!
//! # Layout
//! - `name`: what models and aliases are called, and how a user names a version.
//! - `event`: the entries of a model's log, each holding the digest of the one before.
//! - `state`: the log folded: what there is now, and what an alias was before.
//! - `book`: reads and appends; to create the next entry is the compare-and-swap.

mod book;
mod event;
mod name;
mod state;

pub use book::{Moved, Registered, Registry, Wanted};
pub use event::{Acceptance, Entry, Event, Move, Registration};
pub(super) use name::check_alias;
pub use name::check_model;
pub use name::{ModelRef, Selector, nearest};
pub use state::{Accepted, Alias, Before, ModelState, Version};
