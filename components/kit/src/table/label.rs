//! A value in its one canonical spelling.

use super::{Column, Values};

impl Column {
    /// The value in its one canonical spelling; none for a null: `1`, `true`, `0.5`, the text
    /// itself, `2026-01-31T12:00:00.000000Z`.
    pub fn label(&self, row: usize) -> Option<String> {
        if self.is_null(row) {
            return None;
        }
        match &self.values {
            Values::Floats(values) => values.get(row).map(|value| format!("{value:?}")),
            Values::Integers(values) => values.get(row).map(ToString::to_string),
            Values::Booleans(values) => values.get(row).map(ToString::to_string),
            Values::Timestamps(values) => values.get(row).map(|value| timestamp_label(*value)),
            Values::Texts(_) | Values::Categories { .. } => self.text(row).map(ToOwned::to_owned),
        }
    }
}

/// A moment in the parts of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// As of the Gregorian calendar.
    pub year: i64,
    /// From 1.
    pub month: i64,
    /// Of the month, from 1.
    pub day: i64,
    /// From 0, which is Monday.
    pub weekday: i64,
    /// From 0 to 23.
    pub hour: i64,
}

const DAY: i64 = 86_400_000_000;

/// Microseconds since 1970 in the parts of UTC's calendar, by the days-to-civil formula of Howard
/// Hinnant (<https://howardhinnant.github.io/date_algorithms.html>), which holds for every 64-bit
/// input.
pub const fn civil(microseconds: i64) -> Civil {
    let (days, rest) = (microseconds.div_euclid(DAY), microseconds.rem_euclid(DAY));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    Civil {
        year: year_of_era + era * 400 + (month <= 2) as i64,
        month,
        day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
        // 1970-01-01 was a Thursday.
        weekday: (days + 3).rem_euclid(7),
        hour: rest / 3_600_000_000,
    }
}

/// Microseconds since 1970 as ISO 8601.
pub fn timestamp_label(microseconds: i64) -> String {
    let Civil {
        year,
        month,
        day,
        hour,
        ..
    } = civil(microseconds);
    let rest = microseconds.rem_euclid(DAY);
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{:02}:{:02}.{fraction:06}Z",
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_one_spelling() {
        let label = |values| {
            Column {
                name: "x".to_owned(),
                values,
                nulls: vec![],
            }
            .label(0)
            .unwrap()
        };
        assert_eq!(label(Values::Floats(vec![1.0])), "1.0");
        assert_eq!(label(Values::Floats(vec![0.1])), "0.1");
        assert_eq!(label(Values::Integers(vec![-1])), "-1");
        assert_eq!(label(Values::Booleans(vec![true])), "true");
        assert_eq!(
            label(Values::Timestamps(vec![951_782_400_000_001])),
            "2000-02-29T00:00:00.000001Z"
        );
        assert_eq!(
            label(Values::Timestamps(vec![-1])),
            "1969-12-31T23:59:59.999999Z"
        );
    }
}
