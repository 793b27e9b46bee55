//! A window of time that ends with the newest row.

use std::fmt;

use septet_kit::{
    show::shown,
    table::{Table, Values},
};
use serde::{Deserialize, Deserializer, de::Error};

use crate::{notes, target::find};

/// A length of time: `12h`, `90d`, `6w`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    text: String,
    microseconds: i64,
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Span {
    /// Reads a whole number with its unit: hours `h`, days `d` or weeks `w`.
    pub fn parse(text: &str) -> Result<Self, String> {
        const HOUR: i64 = 3_600_000_000;
        let unit = match text.as_bytes().last() {
            Some(b'h') => HOUR,
            Some(b'd') => 24 * HOUR,
            Some(b'w') => 7 * 24 * HOUR,
            _ => 0,
        };
        let number = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        number
            .parse::<i64>()
            .ok()
            .filter(|number| digits && *number > 0)
            .and_then(|number| number.checked_mul(unit))
            .filter(|microseconds| *microseconds > 0)
            .map(|microseconds| Self {
                text: text.to_owned(),
                microseconds,
            })
            .ok_or_else(|| {
                format!(
                    "the window '{}' is no length of time: write it as 12h, 90d or 6w",
                    shown(text, 40)
                )
            })
    }
}

/// Keeps the rows whose `time` is within the window of the newest one; rows without a time are
/// left out.
pub fn keep(
    span: &Span,
    time: &str,
    table: &mut Table,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let column = find(table, "time", time)?;
    let Values::Timestamps(values) = &column.values else {
        return Err(format!(
            "the time '{}' has {}: a window needs timestamps",
            shown(time, 80),
            column.values.kind().name()
        ));
    };
    let nulls = column.null_mask();
    let there = values.iter().zip(&nulls).filter(|(_, null)| !**null);
    let newest = there.map(|(value, _)| *value).max();
    let oldest = newest.map_or(i64::MIN, |newest| newest.saturating_sub(span.microseconds));
    let kept: Vec<u32> = (0_u32..)
        .zip(values.iter().zip(&nulls))
        .filter(|(_, (value, null))| !**null && **value >= oldest)
        .map(|(row, _)| row)
        .collect();
    let left_out = table.rows - kept.len();
    if left_out > 0 {
        *table = table.take(&kept);
        notes.push(format!(
            "{} left out, which are not within {span} of the newest '{}'",
            notes::rows(left_out),
            shown(time, 80)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use septet_kit::table::Column;

    use super::*;

    #[test]
    fn spans_are_read() {
        let hours = |text: &str| Span::parse(text).unwrap().microseconds / 3_600_000_000;
        assert_eq!(hours("12h"), 12);
        assert_eq!(hours("90d"), 2_160);
        assert_eq!(hours("6w"), 1_008);
        for text in [
            "",
            "d",
            "0d",
            "-1d",
            "+1d",
            "1",
            "1m",
            "1.5d",
            "99999999999999d",
            "é",
        ] {
            assert!(Span::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rows_within_the_window_are_kept() {
        let day = 86_400_000_000;
        let table = |days: &[i64], nulls: &[u32]| Table {
            rows: days.len(),
            columns: vec![Column {
                name: "at".to_owned(),
                values: Values::Timestamps(days.iter().map(|d| d * day).collect()),
                nulls: nulls.to_vec(),
            }],
        };
        let mut data = table(&[1, 8, 7, 99, 17], &[3]);
        let mut notes = Vec::new();
        let span = Span::parse("10d").unwrap();
        keep(&span, "at", &mut data, &mut notes).unwrap();
        assert_eq!(data, table(&[8, 7, 17], &[]));
        assert_eq!(
            notes,
            ["2 rows left out, which are not within 10d of the newest 'at'"]
        );
        let mut numbers = data.clone();
        numbers.columns[0].values = Values::Integers(vec![1, 2, 3]);
        assert!(keep(&span, "at", &mut numbers, &mut notes).is_err());
    }
}
