//! Which rows are for the test: a matter of the model's name, made by its first version and handed
//! on, so that no version ever trains on a row that any version was tested on.
//!
//! It owns the state, its JSON and its bounds. It must not know how rows are digested or split.
//!
//! # Layout
//! - `state`: what is handed on
//! - `check`: the bounds of a state that comes from outside

mod check;
mod state;

pub use state::{ClassThreshold, FORMAT, MAX_BYTES, RESOLUTION, Rule, SALTS, Split, Window};
