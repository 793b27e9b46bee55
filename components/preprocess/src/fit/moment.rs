//! A column of timestamps: year, month, weekday and hour, each scaled.

use septet_kit::{
    preprocessing::{Encoding, Part, ScaledPart},
    table::{Column, Values},
};

use super::number::{deviation, mean};

/// The encoding of moments; none where no part differs in the train rows.
pub(super) fn encoding(column: &Column, indicator: bool) -> Option<Encoding> {
    let Values::Timestamps(values) = &column.values else {
        return None;
    };
    let there: Vec<i64> = values
        .iter()
        .zip(column.null_mask())
        .filter(|(_, null)| !null)
        .map(|(value, _)| *value)
        .collect();
    let parts: Vec<_> = Part::ALL
        .into_iter()
        .filter_map(|part| {
            let numbers: Vec<f64> = there.iter().map(|value| part.of(*value)).collect();
            let first = numbers.first()?;
            if numbers.iter().all(|number| number - first == 0.0) {
                return None;
            }
            let center = mean(&numbers);
            // A null counts as the mean: it adds nothing to the squares, only to the rows.
            let share = there.len() as f64 / values.len() as f64;
            let scale = deviation(&numbers, center) * share.sqrt();
            Some(ScaledPart {
                part,
                center,
                scale,
            })
        })
        .collect();
    let indicator = indicator && there.len() < values.len() && !there.is_empty();
    (indicator || !parts.is_empty()).then_some(Encoding::Timestamp { parts, indicator })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_differ_are_scaled() {
        const HOUR: i64 = 3_600_000_000;
        let column = Column {
            name: "at".to_owned(),
            values: Values::Timestamps(vec![0, 2 * HOUR, 4 * HOUR, 0]),
            nulls: vec![3],
        };
        let Some(Encoding::Timestamp { parts, indicator }) = encoding(&column, true) else {
            panic!("it has parts");
        };
        assert!(indicator);
        assert_eq!(parts.len(), 1);
        assert_eq!((parts[0].part, parts[0].center), (Part::Hour, 2.0));
        // Hours 0, 2, 4 and the mean.
        assert!((parts[0].scale - 2.0_f64.sqrt()).abs() < 1e-15);
        assert!(encoding(&column.slice(0, 1), true).is_none());
    }
}
