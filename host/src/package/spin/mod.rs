//! Applications for Spin: a stage's untouched bytes and what they need there, in one component.
//!
//! # Layout
//! - `parts`: the components that come with the program.
//! - `name`: the applications' components, by name.
//! - `described`: the components that say what was composed.
//! - `wiring`: instances and what each is given, by wac.
//! - `app`: which instances an application has, and who is given what.
//!
//! It makes bytes of bytes. It must not read settings, and must not know Spin's manifest.

mod app;
mod described;
mod name;
mod parts;
mod wiring;

pub use app::{Chosen, compose, compose_serving, front};
pub use name::App;
