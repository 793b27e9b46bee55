//! An input table against the raw columns that serving needs.

use super::plan::{Input, Preprocessing};
use crate::{
    show::shown,
    table::{Column, Kind, Table, Values},
};

impl Preprocessing {
    /// The columns of `inputs` in their order and kinds; others are left out.
    ///
    /// What loses nothing is converted; see [`Column::convert`]. Where no transform asks for integers, other floats pass too: a feature is a
    /// float in any case. An error names the first column that is missing or of another kind, with the
    /// kinds, the row and its value.
    pub fn check(&self, table: &Table) -> Result<Table, String> {
        let mut columns = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            let column = table.column(&input.name).ok_or_else(|| {
                format!(
                    "column '{}' ({}) is missing: the model needs it",
                    input.name,
                    input.kind.name()
                )
            })?;
            columns.push(Column {
                name: input.name.clone(),
                values: match (input.kind, &column.values) {
                    (Kind::Integers, Values::Floats(_)) if self.transforms.is_empty() => {
                        convert(input, column, table).unwrap_or_else(|_| column.values.clone())
                    }
                    _ => convert(input, column, table)?,
                },
                nulls: column.nulls.clone(),
            });
        }
        Ok(Table {
            rows: table.rows,
            columns,
        })
    }
}

fn convert(input: &Input, column: &Column, table: &Table) -> Result<Values, String> {
    column.convert(input.kind).map_err(|row| {
        let row = row.or_else(|| first_value(column));
        retyped(input, column, table, row)
    })
}

/// The first row whose value tells best what is wrong: for texts, one that is no number.
fn first_value(column: &Column) -> Option<usize> {
    let rows = || (0..column.values.len()).filter(|row| !column.is_null(*row));
    rows()
        .find(|row| {
            column
                .text(*row)
                .is_some_and(|text| text.trim().parse::<f64>().is_err())
        })
        .or_else(|| rows().next())
}

fn retyped(input: &Input, column: &Column, table: &Table, row: Option<usize>) -> String {
    let message = format!(
        "column '{}' has {} where the model was trained on {}",
        input.name,
        column.values.kind().name(),
        input.kind.name()
    );
    let Some((row, value)) = row.and_then(|row| Some((row, column.label(row)?))) else {
        return message;
    };
    format!(
        "{message}: row {} has '{}'",
        table.line(row),
        shown(&value, 40)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{preprocessing::Task, table::ROW};

    fn plan(kind: Kind) -> Preprocessing {
        Preprocessing {
            task: Task::Regression,
            target: "y".to_owned(),
            classes: vec![],
            class_counts: vec![],
            target_mean: 0.0,
            positive: None,
            folds: crate::preprocessing::Folds::Rows,
            weighted: false,
            inputs: vec![Input {
                name: "x".to_owned(),
                kind,
                nullable: false,
            }],
            transforms: vec![],
            features: vec![],
            columns: vec![],
        }
    }

    fn table(values: Values, nulls: &[u32]) -> Table {
        let rows = values.len();
        let column = |name: &str, values, nulls: &[u32]| Column {
            name: name.to_owned(),
            values,
            nulls: nulls.to_vec(),
        };
        Table {
            rows,
            columns: vec![
                column(ROW, Values::Integers((2..).take(rows).collect()), &[]),
                column("extra", Values::Integers(vec![0; rows]), &[]),
                column("x", values, nulls),
            ],
        }
    }

    fn texts(values: &[&str]) -> Values {
        Values::Texts(values.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_loses_nothing_is_converted() {
        let converted = |kind, values, nulls: &[u32]| {
            let checked = plan(kind).check(&table(values, nulls)).unwrap();
            assert_eq!(checked.columns.len(), 1);
            checked.columns[0].values.clone()
        };
        let integers = || Values::Integers(vec![1, 2]);
        assert_eq!(
            converted(Kind::Floats, integers(), &[]),
            Values::Floats(vec![1.0, 2.0])
        );
        assert_eq!(
            converted(Kind::Integers, Values::Floats(vec![1.0, f64::NAN]), &[1]),
            Values::Integers(vec![1, 0])
        );
        assert_eq!(converted(Kind::Texts, integers(), &[]), texts(&["1", "2"]));
        assert_eq!(
            converted(Kind::Booleans, texts(&["", ""]), &[0, 1]),
            Values::Booleans(vec![false, false])
        );
        let categories = converted(Kind::Categories, texts(&["b", "", "a"]), &[1]);
        assert_eq!(
            categories,
            Values::Categories {
                dictionary: vec!["a".to_owned(), "b".to_owned()],
                codes: vec![1, 0, 0]
            }
        );
    }

    #[test]
    fn a_retyped_column_is_named_with_its_value() {
        let told = |kind, values| plan(kind).check(&table(values, &[])).unwrap_err();
        assert_eq!(
            told(Kind::Floats, texts(&["1.5", "abc"])),
            "column 'x' has texts where the model was trained on floats: row 3 has 'abc'"
        );
        let floats = table(Values::Floats(vec![1.0, 2.5]), &[]);
        let mut typed = plan(Kind::Integers);
        typed.transforms.push("0".repeat(64));
        assert_eq!(
            typed.check(&floats).unwrap_err(),
            "column 'x' has floats where the model was trained on integers: row 3 has '2.5'"
        );
        assert!(plan(Kind::Integers).check(&floats).is_ok());
        assert!(told(Kind::Floats, Values::Booleans(vec![true])).contains("booleans"));
    }

    #[test]
    fn a_missing_column_is_named() {
        let message = plan(Kind::Floats).check(&Table::default()).unwrap_err();
        assert_eq!(
            message,
            "column 'x' (floats) is missing: the model needs it"
        );
    }
}
