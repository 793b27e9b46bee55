//! The real binary under what production does to it.
//!
//! - `crash`: one process, killed again and again, at random and between two steps. - `together`:
//!   several processes on one store, one of them killed every second. - `stopping`: a server that
//!   is told to stop. - `process`: what these share.
//! - `faults`: faults of disk and clock on and off in a running process. - `server`: the process,
//!   and runs with what comes of them undisturbed.
//! - `disk`: full, read-only, not syncing, locked. - `damage`: blobs and databases that are not
//!   whole. - `clock`: the time of day set back and forth. - `poison`: hostile messages.
//! - `guests`: stages that trap, loop, or answer rubbish.

mod clock;
mod crash;
mod damage;
mod disk;
mod faults;
mod guests;
mod poison;
pub(crate) mod process;
mod server;
mod stopping;
mod together;
