//! The fitted plan applied to rows. The transforms were applied before.

use super::plan::{Encoding, Fitted, Preprocessing};
use crate::{
    matrix::Matrix,
    table::{Column, Table, Values},
};

impl Preprocessing {
    /// The rows of `table`, after the transforms, as features in the order of `self.features`.
    /// An error names a column that is missing, of another kind, or holds an infinity.
    pub fn features(&self, table: &Table) -> Result<Matrix, String> {
        let width = self.columns.iter().map(Fitted::width).sum();
        let mut matrix = Matrix::zeros(table.rows, width);
        let mut first = 0;
        for fitted in &self.columns {
            let name = &fitted.column;
            let column = table
                .column(name)
                .ok_or_else(|| format!("column '{name}' is missing"))?;
            fill(fitted, column, table, &mut matrix, first)?;
            first += fitted.width();
        }
        Ok(matrix)
    }
}

fn fill(
    fitted: &Fitted,
    column: &Column,
    table: &Table,
    matrix: &mut Matrix,
    first: usize,
) -> Result<(), String> {
    let wrong = |expected: &str| {
        format!(
            "column '{}' has {} where the model was trained on {expected}",
            column.name,
            column.values.kind().name()
        )
    };
    let width = matrix.columns.max(1);
    let rows = matrix.values.chunks_exact_mut(width);
    match &fitted.encoding {
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
                    return Err(format!(
                        "column '{}' is infinite in row {}",
                        column.name,
                        table.line(row)
                    ));
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
        Encoding::OneHot {
            categories,
            other,
            fill,
        } => {
            let find =
                |text: &str| match categories.binary_search_by(|known| known.as_str().cmp(text)) {
                    Ok(at) => Some(at),
                    Err(_) => other.then_some(categories.len()),
                };
            let fill = fill.as_deref().and_then(find);
            let set = |positions: &mut dyn Iterator<Item = Option<usize>>| {
                for ((slots, position), null) in rows.zip(positions).zip(column.null_mask()) {
                    let position = if null { fill } else { position };
                    if let Some(slot) = position.and_then(|at| slots.get_mut(first + at)) {
                        *slot = 1.0;
                    }
                }
            };
            match &column.values {
                Values::Texts(values) => set(&mut values.iter().map(|text| find(text))),
                Values::Categories { dictionary, codes } => {
                    let known: Vec<_> = dictionary.iter().map(|text| find(text)).collect();
                    set(&mut codes
                        .iter()
                        .map(|code| known.get(*code as usize).copied().flatten()));
                }
                _ => return Err(wrong("texts")),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocessing::Task;

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
            Encoding::OneHot {
                categories: vec!["a".to_owned(), "b".to_owned()],
                other,
                fill: fill.map(ToOwned::to_owned),
            },
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
}
