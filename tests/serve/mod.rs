//! What starts runs by itself.
//!
//! - `folder`, `timer`: files that are dropped and ticks of a clock, watched by several at once.
//! - `asks`: makes runs of what they want, without components.

mod asks;
mod folder;
mod timer;
