//! Time as the stores and the pipeline see it: a test can move it.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;

/// Where the time comes from.
#[async_trait]
pub trait Clock: Send + Sync + fmt::Debug {
    /// Milliseconds since 1970, UTC.
    fn now(&self) -> u64;

    /// Milliseconds since some moment of this process: unlike `now`, nobody can set it.
    fn steady(&self) -> u64;

    /// Comes back when `duration` has passed on this clock.
    async fn sleep(&self, duration: Duration);

    /// The time as RFC 3339 in UTC, to the millisecond.
    fn timestamp(&self) -> String {
        let time = UNIX_EPOCH + Duration::from_millis(self.now());
        humantime::format_rfc3339_millis(time).to_string()
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, millis)
    }

    fn steady(&self) -> u64 {
        static BEGUN: OnceLock<Instant> = OnceLock::new();
        millis(BEGUN.get_or_init(Instant::now).elapsed())
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A clock that stands still until it is moved; to sleep on it moves it.
#[derive(Debug)]
pub struct ManualClock {
    steady: AtomicU64,
    /// By how much it was set, all in all.
    set: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `now`, in milliseconds since 1970.
    pub const fn new(now: u64) -> Self {
        Self {
            steady: AtomicU64::new(now),
            set: AtomicI64::new(0),
        }
    }

    /// Moves the clock on: time passes.
    pub fn advance(&self, by: Duration) {
        self.steady.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// Sets the clock by so many milliseconds: no time passes.
    pub fn set_by(&self, by: i64) {
        self.set.fetch_add(by, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> u64 {
        let set = self.set.load(Ordering::SeqCst);
        self.steady().saturating_add_signed(set)
    }

    fn steady(&self) -> u64 {
        self.steady.load(Ordering::SeqCst)
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
        tokio::task::yield_now().await;
    }
}

/// Whole milliseconds of `duration`, as far as they can be told; at least one where it is not
/// zero, so that a short sleep is not endless.
pub fn millis(duration: Duration) -> u64 {
    if duration.is_zero() {
        return 0;
    }
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX / 4)
        .clamp(1, u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_rfc_3339() {
        let clock = ManualClock::new(1_700_000_000_123);
        assert_eq!(clock.timestamp(), "2023-11-14T22:13:20.123Z");
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.timestamp(), "2023-11-14T22:13:21.123Z");
    }
}
