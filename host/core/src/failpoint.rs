//! Places where a test ends the process as a power cut would: between two steps of the protocol.
//!
//! Nothing is set unless `config` was told to by the environment, and then passing a place costs a
//! look at one variable. It must not be used for anything but tests of crashes.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

static SET: OnceLock<Failpoint> = OnceLock::new();

struct Failpoint {
    place: String,
    left: AtomicU32,
}

/// The places, in the order in which an invocation passes them.
pub const PLACES: [&str; 7] = [
    "received",
    "executed",
    "committed",
    "registered",
    "sent",
    "published",
    "acknowledged",
];

/// The place of a swap: its component is in the store, and no record names it.
pub const OFFERED: &str = "offered";

/// Ends the process when `place` is passed for the `nth` time, from 1.
pub fn set(place: &str, nth: u32) -> anyhow::Result<()> {
    anyhow::ensure!(
        (place == OFFERED || PLACES.contains(&place)) && nth > 0,
        "there is no fail point '{place}': there are {} and {OFFERED}",
        PLACES.join(", ")
    );
    let _first = SET.set(Failpoint {
        place: place.to_owned(),
        left: AtomicU32::new(nth),
    });
    Ok(())
}

/// Passes a place.
pub fn pass(place: &str) {
    let Some(set) = SET.get() else { return };
    if set.place == place && set.left.fetch_sub(1, Ordering::SeqCst) == 1 {
        #[cfg(unix)]
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // It does not get here: nothing survives this signal.
        std::process::abort();
    }
}
