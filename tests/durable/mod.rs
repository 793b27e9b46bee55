//! The real binary under what production does to it.
//!
//! - `crash`: one process, killed again and again, at random and between two steps.
//! - `together`: several processes on one store, one of them killed every second.
//! - `stopping`: a server that is told to stop.

mod crash;
mod process;
mod stopping;
mod together;
