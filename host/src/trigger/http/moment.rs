//! Times as texts, as data files have them.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// No time takes more bytes.
const MAX_TEXT: usize = 40;

/// Dates with a time of the day and without a zone: it is UTC.
const FORMS: [&str; 4] = [
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
];

/// Microseconds since 1970 UTC of an ISO 8601 date or date with a time; none for everything else.
pub(super) fn moment(text: &str) -> Option<i64> {
    // The year has four digits, as ingest wants it: chrono would take others.
    if text.len() > MAX_TEXT || text.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(
            day.and_time(chrono::NaiveTime::MIN)
                .and_utc()
                .timestamp_micros(),
        );
    }
    let mut times = FORMS
        .iter()
        .filter_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    times.next().map(|time| time.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_ingest_reads_them() {
        let day = 1_706_659_200_000_000;
        let noon = day + 12 * 3_600_000_000;
        for (text, expected) in [
            ("2024-01-31", day),
            ("2024-01-31 12:00", noon),
            ("2024-01-31T12:00:00Z", noon),
            ("2024-01-31 12:00:00.5", noon + 500_000),
            ("2024-01-31T13:00:00+01:00", noon),
        ] {
            assert_eq!(moment(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "2024",
            "20240131",
            "yesterday",
            "2024-02-30",
            "12024-01-31",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
        assert_eq!(moment(&" ".repeat(100)), None);
    }
}
