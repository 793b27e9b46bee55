//! Whether the machine's clock was set, seen from one process.
//!
//! A message's times are of the machine's clock, which anybody may set. Who lives long enough compares
//! it with a clock that nobody can set. On Spin each request is an instance of its own and has nothing
//! to compare with: it sees only what was written later than now.

use std::sync::{Mutex, PoisonError};

/// Milliseconds by which the clocks may differ: more than they drift apart between two looks, or on
/// two machines.
pub(crate) const TOLERANCE: u64 = 1000;

/// The time that everyone can set, and the one that nobody can.
pub(crate) type Reading = (u64, u64);

/// What became of the clock since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Jump {
    /// Nothing that is known of.
    None,
    /// It was set back.
    Back,
    /// It was set forward: unset, it would show this.
    Forward(u64),
}

/// How one process follows its clocks.
#[derive(Default)]
pub(crate) struct Jumps(Mutex<Option<Reading>>);

impl Jumps {
    pub(crate) fn look(&self, (now, steady): Reading) -> Jump {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((then, since)) = *last else {
            return Jump::None;
        };
        let unset = then.saturating_add(steady.saturating_sub(since));
        if now > unset.saturating_add(TOLERANCE) {
            Jump::Forward(unset)
        } else if now.saturating_add(TOLERANCE) < unset {
            Jump::Back
        } else {
            Jump::None
        }
    }

    /// Remembers a reading whose jump was dealt with: where that failed, the next look sees the same.
    pub(crate) fn seen(&self, reading: Reading) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
    }
}
