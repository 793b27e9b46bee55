//! The fitted plan applied to rows. The transforms were applied before.

use std::collections::BTreeMap;

use super::plan::{Categories, Encoding, Fitted, Place, Preprocessing, ScaledPart};
use crate::{
    matrix::Matrix,
    show::shown,
    table::{Column, Table, Values},
};

/// Why rows can't be used, by row: the first reason of each.
type Refused = BTreeMap<usize, String>;

impl Preprocessing {
    /// The rows of `table`, after the transforms, as features in the order of `self.features`.
    /// An error names a column that is missing or of another kind, or the first row that
    /// [`Preprocessing::features_checked`] refuses.
    pub fn features(&self, table: &Table) -> Result<Matrix, String> {
        let (matrix, refused) = self.features_checked(table)?;
        match refused.first() {
            Some((row, reason)) => Err(format!("{reason} in row {}", table.line(*row))),
            None => Ok(matrix),
        }
    }

    /// As [`Preprocessing::features`], but a row that can't be used (a value that is infinite, or
    /// a category that is unknown where that is an error) has zeros, and its number from 0 and the
    /// reason are given beside; ascending, one reason a row.
    pub fn features_checked(
        &self,
        table: &Table,
    ) -> Result<(Matrix, Vec<(usize, String)>), String> {
        let width = self.columns.iter().map(Fitted::width).sum();
        let mut matrix = Matrix::zeros(table.rows, width);
        let mut refused = Refused::new();
        let mut first = 0;
        for fitted in &self.columns {
            let name = &fitted.column;
            let column = table
                .column(name)
                .ok_or_else(|| format!("column '{name}' is missing"))?;
            fill(&fitted.encoding, column, &mut matrix, first, &mut refused)?;
            first += fitted.width();
        }
        for row in refused.keys() {
            matrix.row_mut(*row).fill(0.0);
        }
        Ok((matrix, refused.into_iter().collect()))
    }
}

fn fill(
    encoding: &Encoding,
    column: &Column,
    matrix: &mut Matrix,
    first: usize,
    refused: &mut Refused,
) -> Result<(), String> {
    let wrong = |expected: &str| {
        format!(
            "column '{}' has {} where the model was trained on {expected}",
            column.name,
            column.values.kind().name()
        )
    };
    let width = matrix.columns.max(1);
    let mut rows = matrix.values.chunks_exact_mut(width);
    match encoding {
        Encoding::Number {
            fill,
            center,
            scale,
            indicator,
        } => {
            let numbers = column.numbers().ok_or_else(|| wrong("numbers"))?;
            for (row, (slots, number)) in rows.zip(numbers).enumerate() {
                if *indicator && let Some(slot) = slots.get_mut(first + 1) {
                    *slot = f64::from(number.is_none());
                }
                let number = number.unwrap_or(*fill);
                if number.is_infinite() {
                    refused
                        .entry(row)
                        .or_insert_with(|| format!("column '{}' is infinite", column.name));
                }
                if let Some(slot) = slots.get_mut(first) {
                    // A value far from all of the training's could leave the range of a float.
                    *slot = ((number - center) / scale).clamp(-f64::MAX, f64::MAX);
                }
            }
        }
        Encoding::Boolean { fill } => {
            let Values::Booleans(values) = &column.values else {
                return Err(wrong("booleans"));
            };
            for ((slots, value), null) in rows.zip(values).zip(column.null_mask()) {
                if let Some(slot) = slots.get_mut(first) {
                    *slot = f64::from(if null { *fill } else { *value });
                }
            }
        }
        Encoding::OneHot(known) => {
            let places = places(known, column, refused).ok_or_else(|| wrong("texts"))?;
            for (slots, place) in rows.zip(places) {
                if let Place::At(at) = place
                    && let Some(slot) = slots.get_mut(first + at)
                {
                    *slot = 1.0;
                }
            }
        }
        Encoding::Ordinal(known) => {
            let places = places(known, column, refused).ok_or_else(|| wrong("texts"))?;
            for (slots, place) in rows.zip(places) {
                if let Some(slot) = slots.get_mut(first) {
                    *slot = match place {
                        Place::At(at) => at as f64,
                        Place::Nowhere | Place::Refused => -1.0,
                    };
                }
            }
        }
        Encoding::Timestamp { parts, indicator } => {
            let Values::Timestamps(values) = &column.values else {
                return Err(wrong("timestamps"));
            };
            for (value, null) in values.iter().zip(column.null_mask()) {
                let slots = rows.next().and_then(|slots| slots.get_mut(first..));
                moment(parts, *indicator, (!null).then_some(*value), slots);
            }
        }
    }
    Ok(())
}

fn moment(parts: &[ScaledPart], indicator: bool, value: Option<i64>, slots: Option<&mut [f64]>) {
    let slots = slots.unwrap_or_default();
    if let Some(value) = value {
        for (slot, scaled) in slots.iter_mut().zip(parts) {
            *slot = (scaled.part.of(value) - scaled.center) / scaled.scale;
        }
    } else if indicator && let Some(slot) = slots.get_mut(parts.len()) {
        *slot = 1.0;
    }
}

/// Where the values of each row are; none for columns that are no texts.
fn places(known: &Categories, column: &Column, refused: &mut Refused) -> Option<Vec<Place>> {
    let mut places: Vec<Place> = match &column.values {
        Values::Texts(values) => values.iter().map(|text| known.place(text)).collect(),
        Values::Categories { dictionary, codes } => {
            let of: Vec<_> = dictionary.iter().map(|text| known.place(text)).collect();
            codes
                .iter()
                .map(|code| of.get(*code as usize).copied().unwrap_or(Place::Nowhere))
                .collect()
        }
        _ => return None,
    };
    for row in &column.nulls {
        if let Some(place) = places.get_mut(*row as usize) {
            *place = known.null();
        }
    }
    for (row, place) in places.iter().enumerate() {
        if *place == Place::Refused {
            refused.entry(row).or_insert_with(|| {
                format!(
                    "column '{}' has '{}', which no train row had (categories.unknown=error refuses \
                     such rows)",
                    column.name,
                    shown(column.text(row).unwrap_or_default(), 40)
                )
            });
        }
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocessing::{Part, Task, Unknown};

    fn column(name: &str, values: Values, nulls: &[u32]) -> Column {
        Column {
            name: name.to_owned(),
            values,
            nulls: nulls.to_vec(),
        }
    }

    fn plan(columns: Vec<Fitted>) -> Preprocessing {
        Preprocessing {
            task: Task::Regression,
            target: "y".to_owned(),
            classes: vec![],
            class_counts: vec![],
            target_mean: 0.0,
            positive: None,
            folds: crate::preprocessing::Folds::Rows,
            weighted: false,
            inputs: vec![],
            transforms: vec![],
            features: columns.iter().flat_map(Fitted::names).collect(),
            columns,
        }
    }

    fn fitted(column: &str, encoding: Encoding) -> Fitted {
        Fitted {
            column: column.to_owned(),
            encoding,
        }
    }

    fn number() -> Fitted {
        fitted(
            "n",
            Encoding::Number {
                fill: 3.0,
                center: 3.0,
                scale: 2.0,
                indicator: false,
            },
        )
    }

    fn texts(values: &[&str]) -> Values {
        Values::Texts(values.iter().map(ToString::to_string).collect())
    }

    fn hot(other: bool, fill: Option<&str>) -> Fitted {
        fitted(
            "t",
            Encoding::OneHot(Categories {
                categories: vec!["a".to_owned(), "b".to_owned()],
                other,
                rare: vec![],
                unknown: Unknown::Ignore,
                fill: fill.map(ToOwned::to_owned),
            }),
        )
    }

    #[test]
    fn numbers_are_filled_and_scaled() {
        let table = Table {
            rows: 3,
            columns: vec![column("n", Values::Floats(vec![5.0, f64::NAN, 1e9]), &[2])],
        };
        let matrix = plan(vec![number()]).features(&table).unwrap();
        assert_eq!(matrix.values, [1.0, 0.0, 0.0]);
    }

    #[test]
    fn unknown_and_null_categories() {
        let table = Table {
            rows: 4,
            columns: vec![column("t", texts(&["b", "new", "", "a"]), &[2])],
        };
        let plain = plan(vec![hot(false, Some("a"))]);
        assert_eq!(plain.features, ["t_a", "t_b"]);
        assert_eq!(
            plain.features(&table).unwrap().values,
            [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]
        );
        let pooled = plan(vec![hot(true, Some("b"))]);
        assert_eq!(pooled.features.last().unwrap(), "t_septet:other");
        assert_eq!(
            pooled.features(&table).unwrap().values,
            [0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]
        );
    }

    #[test]
    fn texts_and_categories_are_one() {
        let texts = Table {
            rows: 3,
            columns: vec![column("t", texts(&["b", "x", "a"]), &[])],
        };
        let categories = Table {
            rows: 3,
            columns: vec![column(
                "t",
                Values::Categories {
                    dictionary: vec!["x".to_owned(), "a".to_owned(), "b".to_owned()],
                    codes: vec![2, 0, 1],
                },
                &[],
            )],
        };
        let plan = plan(vec![hot(true, None)]);
        assert_eq!(plan.features(&texts), plan.features(&categories));
    }

    #[test]
    fn what_can_not_be_used_is_told() {
        let plan = plan(vec![number()]);
        let told = |columns| plan.features(&Table { rows: 1, columns }).unwrap_err();
        assert!(told(vec![]).contains("column 'n' is missing"));
        assert!(told(vec![column("n", texts(&["x"]), &[])]).contains("has texts"));
        let infinite = column("n", Values::Floats(vec![f64::INFINITY]), &[]);
        assert!(told(vec![infinite]).contains("infinite in row 1"));
    }

    #[test]
    fn an_unknown_category_is_pooled_ignored_or_refused() {
        let known = |unknown, rare: &[&str]| Categories {
            categories: vec!["a".to_owned(), "b".to_owned()],
            other: true,
            rare: rare.iter().map(ToString::to_string).collect(),
            unknown,
            fill: None,
        };
        assert_eq!(known(Unknown::Ignore, &["r"]).place("r"), Place::At(2));
        assert_eq!(known(Unknown::Ignore, &["r"]).place("x"), Place::Nowhere);
        assert_eq!(known(Unknown::Ignore, &[]).place("x"), Place::At(2));
        assert_eq!(known(Unknown::Other, &["r"]).place("x"), Place::At(2));
        assert_eq!(known(Unknown::Error, &["r"]).place("x"), Place::Refused);

        let strict = fitted("t", Encoding::Ordinal(known(Unknown::Error, &["r"])));
        let plan = plan(vec![strict, number()]);
        let table = Table {
            rows: 5,
            columns: vec![
                column("t", texts(&["b", "x", "", "r", "a"]), &[2]),
                column(
                    "n",
                    Values::Floats(vec![5.0, 5.0, 5.0, 5.0, f64::INFINITY]),
                    &[],
                ),
            ],
        };
        let (matrix, refused) = plan.features_checked(&table).unwrap();
        assert_eq!(
            matrix.values,
            [1.0, 1.0, 0.0, 0.0, -1.0, 1.0, 2.0, 1.0, 0.0, 0.0]
        );
        let (rows, reasons): (Vec<_>, Vec<_>) = refused.into_iter().unzip();
        assert_eq!(rows, [1, 4]);
        assert!(reasons[0].contains("'t' has 'x'"));
        assert!(reasons[0].contains("categories.unknown=error"));
        assert!(reasons[1].contains("'n' is infinite"));
        assert!(plan.features(&table).unwrap_err().ends_with("in row 2"));
    }

    #[test]
    fn a_moment_has_parts() {
        let scaled = |part| ScaledPart {
            part,
            center: 1.0,
            scale: 2.0,
        };
        let moments = fitted(
            "at",
            Encoding::Timestamp {
                parts: Part::ALL.map(scaled).to_vec(),
                indicator: true,
            },
        );
        let plan = plan(vec![moments]);
        assert_eq!(plan.features[3..], ["at_hour", "missingindicator_at"]);
        // 2000-02-29 was a Tuesday.
        let at = Values::Timestamps(vec![951_782_400_000_000 + 5 * 3_600_000_000, 0]);
        let table = Table {
            rows: 2,
            columns: vec![column("at", at, &[1])],
        };
        let features = plan.features(&table).unwrap();
        assert_eq!(features.row(0), [999.5, 0.5, 0.0, 2.0, 0.0]);
        assert_eq!(features.row(1), [0.0, 0.0, 0.0, 0.0, 1.0]);
    }
}
