//! Times as texts: ISO 8601 to microseconds, by the rules of ingest.
//!
//! What a model was trained on was read by `kit::table::timestamp` in the sandbox. Here it is the same
//! text by text: what one of them takes or refuses, the other one does, and so do their tests.

use chrono::{NaiveDate, NaiveTime, TimeDelta};

/// The shortest: a date.
const DATE: usize = 10;

/// Microseconds since 1970 UTC of an ISO 8601 date or date with a time: `2024-01-31`,
/// `2024-01-31 12:34`, `2024-01-31T12:34:56.789Z`, `2024-01-31 12:34:56+01:00`. Without a zone it
/// is UTC; digits past the microsecond are cut off. None for everything else.
pub(super) fn moment(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let (date, rest) = bytes.split_at_checked(DATE)?;
    let date = NaiveDate::from_ymd_opt(
        digits(date.get(..4)?)? as i32,
        digits(date.get(5..7)?)?,
        digits(date.get(8..)?)?,
    )?;
    let (time, offset) = match rest {
        [] => (NaiveTime::MIN, 0),
        [b'T' | b't' | b' ', clock @ ..] => clock_and_zone(clock)?,
        _ => return None,
    };
    let local = date.and_time(time);
    let utc = local.checked_sub_signed(TimeDelta::try_minutes(offset)?)?;
    Some(utc.and_utc().timestamp_micros())
}

/// The time of the day, and the minutes that its zone is before UTC.
fn clock_and_zone(bytes: &[u8]) -> Option<(NaiveTime, i64)> {
    let (hour, rest) = two(bytes)?;
    let (minute, mut rest) = two(rest.strip_prefix(b":")?)?;
    let (mut second, mut micro) = (0, 0);
    if let Some(after) = rest.strip_prefix(b":") {
        (second, rest) = two(after)?;
        if let Some(after) = rest.strip_prefix(b".") {
            let length = after
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            let (fraction, after) = after.split_at_checked(length)?;
            if !(1..=9).contains(&length) {
                return None;
            }
            micro = digits(fraction.get(..6).unwrap_or(fraction))?
                * 10_u32.pow(6 - length.min(6) as u32);
            rest = after;
        }
    }
    let time = NaiveTime::from_hms_micro_opt(hour, minute, second, micro)?;
    Some((time, zone(rest)?))
}

/// Nothing, `Z`, `+01`, `+0100` or `+01:00`, as minutes.
fn zone(bytes: &[u8]) -> Option<i64> {
    let (sign, rest) = match bytes {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = two(rest)?;
    let minutes = match rest {
        [] => 0,
        rest => match two(rest.strip_prefix(b":").unwrap_or(rest))? {
            (minutes, []) => minutes,
            _ => return None,
        },
    };
    (hours < 24 && minutes < 60).then(|| sign * i64::from(hours * 60 + minutes))
}

fn two(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_at_checked(2)?;
    Some((digits(number)?, rest))
}

/// At most nine digits as a number.
fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + u32::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_read() {
        let day = 1_706_659_200_000_000;
        let noon = day + 12 * 3_600_000_000;
        for (text, expected) in [
            ("2024-01-31", day),
            ("2024-01-31 12:00", noon),
            ("2024-01-31T12:00:00Z", noon),
            ("2024-01-31 12:00:00.5", noon + 500_000),
            ("2024-01-31T12:00:00.123456789Z", noon + 123_456),
            ("2024-01-31T13:00:00+01:00", noon),
            ("2024-01-31T06:30:00-0530", noon),
            ("2024-01-31 12:00+00", noon),
            ("2024-01-31 12:00Z", noon),
            ("2024-01-31t12:00:00z", noon),
            ("2024-01-31T07:00-05", noon),
            ("1969-12-31T23:59:59.999999", -1),
            ("0001-01-01", -62_135_596_800_000_000),
        ] {
            assert_eq!(moment(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for text in [
            "",
            "2024",
            "2024-02-30",
            "2024-13-01",
            "31.01.2024",
            "2024-01-31x",
            "2024-01-31T",
            "2024-01-31 12",
            "2024-01-31 24:00",
            "2024-01-31 12:00:60",
            "2024-01-31 12:00:00.",
            "2024-01-31 12:00:00.1234567890",
            "2024-01-31 12:00+1",
            "2024-01-31 12:00+25:00",
            "2024-01-3é",
            "+024-01-31",
            "2024-01-31Z",
            "20240131",
            "-1234567890",
            " 2024-01-31",
            "2024-01-31 ",
            "2024-01-31T12:00:00 Z",
            "2024-01-31T12:00:00,5",
            "2024-01-31 12:00+01:60",
            "2024-01-31T12:00:00+01:00Z",
            "12024-01-31",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn a_long_text_is_none() {
        assert_eq!(moment(&" ".repeat(1 << 20)), None);
        let digits = format!("2024-01-31T12:00:00.{}", "9".repeat(1 << 20));
        assert_eq!(moment(&digits), None);
    }
}
