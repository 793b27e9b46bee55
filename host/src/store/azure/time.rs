//! The time as the service has it.
//!
//! Leases are seen by many machines, whose clocks differ and can be set; the service's time is one.
//! It is learnt from the header `date` of its answers and carried on by the clock that nobody can
//! set. So a machine whose clock is wrong is still let in after its first request: the date of a
//! request is the service's own.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use azure_core::{
    http::{
        Context, Request,
        headers::HeaderName,
        policies::{Policy, PolicyResult},
    },
    time::{OffsetDateTime, parse_rfc7231, to_rfc7231},
};

use crate::store::Clock;

/// An answer's date has whole seconds, and answers overtake each other: so far ahead of the date is
/// still right.
const AHEAD: i64 = 2_000;

const DATE: HeaderName = HeaderName::from_static("date");

/// The service's time, and the policy that learns and tells it.
#[derive(Clone)]
pub(super) struct ServiceTime(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    /// The service's time less the steady one, in milliseconds, as soon as there was an answer.
    ahead: Mutex<Option<i64>>,
}

impl fmt::Debug for ServiceTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceTime({})", self.now())
    }
}

impl ServiceTime {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let ahead = Mutex::new(None);
        Self(Arc::new(Inner { clock, ahead }))
    }

    /// Milliseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        let ahead = *self.0.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        match ahead {
            Some(ahead) => self.0.clock.steady().saturating_add_signed(ahead),
            None => self.0.clock.now(),
        }
    }

    /// Takes note of an answer's date. Of all dates the one that is furthest ahead is nearest to
    /// the truth, since they are cut to seconds and come late; one that is far behind is a clock
    /// that was put right.
    fn learn(&self, date: i64) {
        let seen = date.saturating_sub_unsigned(self.0.clock.steady());
        let mut ahead = self.0.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let keep = ahead.is_some_and(|ahead| (seen..=seen + AHEAD).contains(&ahead));
        if !keep {
            *ahead = Some(seen);
        }
    }
}

#[async_trait]
impl Policy for ServiceTime {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let seconds = i64::try_from(self.now() / 1000).unwrap_or_default();
        if let Ok(date) = OffsetDateTime::from_unix_timestamp(seconds) {
            request.insert_header("x-ms-date", to_rfc7231(&date));
        }
        let answer = super::account::pass_on(ctx, request, next).await?;
        let date = answer.headers().get_optional_str(&DATE);
        if let Some(date) = date.and_then(|date| parse_rfc7231(date).ok()) {
            self.learn(date.unix_timestamp().saturating_mul(1000));
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::ManualClock;

    #[test]
    fn the_services_time_counts_whatever_the_machines_clock_says() {
        let clock = Arc::new(ManualClock::new(1_000_000));
        let time = ServiceTime::new(clock.clone());
        assert_eq!(time.now(), 1_000_000);
        time.learn(5_000_000);
        clock.advance(Duration::from_millis(1_500));
        clock.set_by(-900_000);
        assert_eq!(time.now(), 5_001_500);
        // A date that is cut to seconds, or comes late, is not taken for a change.
        time.learn(5_000_000);
        assert_eq!(time.now(), 5_001_500);
        // One that is ahead is nearer, and one far behind is another time.
        time.learn(5_002_000);
        assert_eq!(time.now(), 5_002_000);
        time.learn(4_000_000);
        assert_eq!(time.now(), 4_000_000);
    }
}
