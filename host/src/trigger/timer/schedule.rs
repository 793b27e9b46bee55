//! When a timer ticks: a cron pattern of five fields, in UTC.

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 200;

/// Minute, hour, day of the month, month and day of the week, as cron has them.
#[derive(Clone, Debug)]
pub struct Schedule(Cron);

impl Schedule {
    /// Reads a pattern; `from` is a time in milliseconds since 1970 after which it must tick.
    pub fn parse(pattern: &str, from: u64) -> anyhow::Result<Self> {
        ensure!(
            pattern.len() <= MAX_PATTERN,
            "the pattern has {} bytes; at most {MAX_PATTERN} are read",
            pattern.len()
        );
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let shown = pattern.escape_debug();
        let cron = parser.parse(pattern).with_context(|| {
            format!(
                "'{shown}' is no cron pattern: it has five fields (minute, hour, day, month, day \
                 of the week), as '0 6 * * *' for six o'clock UTC"
            )
        })?;
        let schedule = Self(cron);
        ensure!(
            schedule.next(from).is_some(),
            "'{shown}' matches no date: there is no such day"
        );
        Ok(schedule)
    }

    /// The first tick after this time.
    pub(super) fn next(&self, after: u64) -> Option<u64> {
        let tick = self.0.find_next_occurrence(&time(after)?, false).ok()?;
        millis(tick)
    }

    /// The last tick up to this time.
    pub(super) fn last(&self, until: u64) -> Option<u64> {
        let tick = self.0.find_previous_occurrence(&time(until)?, true).ok()?;
        millis(tick).filter(|tick| *tick <= until)
    }

    /// The last tick before this one.
    pub(super) fn before(&self, tick: u64) -> Option<u64> {
        self.last(tick.checked_sub(1)?)
    }
}

fn time(millis: u64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(i64::try_from(millis).ok()?)
}

/// Ticks are whole minutes.
fn millis(time: DateTime<Utc>) -> Option<u64> {
    u64::try_from(time.timestamp()).ok()?.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn at(text: &str) -> u64 {
        let time = humantime::parse_rfc3339(text).unwrap();
        time.duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
    }

    fn shown(tick: Option<u64>) -> String {
        let time = UNIX_EPOCH + Duration::from_millis(tick.unwrap());
        humantime::format_rfc3339_seconds(time).to_string()
    }

    #[test]
    fn ticks_come_in_utc() {
        let now = at("2026-03-29T01:30:00.5Z");
        for (pattern, next, last) in [
            ("* * * * *", "2026-03-29T01:31:00Z", "2026-03-29T01:30:00Z"),
            ("0 6 * * *", "2026-03-29T06:00:00Z", "2026-03-28T06:00:00Z"),
            (
                "*/15 2 * * MON",
                "2026-03-30T02:00:00Z",
                "2026-03-23T02:45:00Z",
            ),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("@weekly", "2026-04-05T00:00:00Z", "2026-03-29T00:00:00Z"),
            // Either day counts, as in every cron.
            ("0 0 1 * 1", "2026-03-30T00:00:00Z", "2026-03-23T00:00:00Z"),
        ] {
            let schedule = Schedule::parse(pattern, now).unwrap();
            assert_eq!(shown(schedule.next(now)), next, "{pattern}");
            assert_eq!(shown(schedule.last(now)), last, "{pattern}");
            let tick = schedule.last(now).unwrap();
            assert_eq!(schedule.last(tick), Some(tick));
            assert!(schedule.before(tick).unwrap() < tick);
            assert_eq!(schedule.next(schedule.before(tick).unwrap()), Some(tick));
        }
    }

    #[test]
    fn what_never_ticks_is_refused() {
        let now = at("2026-01-01T00:00:00Z");
        let told = |pattern: &str| format!("{:#}", Schedule::parse(pattern, now).unwrap_err());
        assert!(told("0 0 30 2 *").contains("matches no date"));
        assert!(told("* * * * * *").contains("five fields"));
        assert!(told("").contains("five fields"));
        assert!(told("61 * * * *").contains("five fields"));
        assert!(told("a b c d e\n").contains("five fields"));
        assert!(told(&"*".repeat(300)).contains("at most 200"));
        assert_eq!(told("x\ny").lines().count(), 1);
    }
}
