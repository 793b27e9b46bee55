//! What a store and its servers survive, with the real binary.
//!
//! - `faults`: faults of disk and clock on and off in a running process. - `server`: the process,
//!   and runs with what comes of them undisturbed.
//! - `disk`: full, read-only, not syncing, locked. - `damage`: blobs and databases that are not
//!   whole. - `clock`: the time of day set back and forth. - `poison`: hostile messages.
//! - `guests`: stages that trap, loop, or answer rubbish.

mod clock;
mod damage;
mod disk;
mod faults;
mod guests;
mod poison;
mod server;
