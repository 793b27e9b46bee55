//! Predictions to JSON: an object a row.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap as _, SerializeSeq as _},
};
use serde_json::{Map, Value};

use crate::capability::tables::{Column, Table, Values};

/// What a model says of some rows that follow each other.
#[derive(Debug)]
pub(super) enum Piece {
    /// Predictions, a row each.
    Given(Table),
    /// Why one row has none.
    Refused(String),
}

/// The answer to a request.
#[derive(Serialize)]
pub(super) struct Answer<'a> {
    pub(super) model: &'a str,
    pub(super) version: u32,
    /// What the client should know of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) notice: Option<&'a str>,
    pub(super) predictions: Predictions,
}

/// Predictions of all rows, in their order.
#[derive(Debug)]
pub(super) struct Predictions(pub(super) Vec<Piece>);

impl Serialize for Predictions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for piece in &self.0 {
            match piece {
                Piece::Given(table) => {
                    for row in 0..table.rows {
                        list.serialize_element(&Predicted { table, row })?;
                    }
                }
                Piece::Refused(error) => list.serialize_element(&Refused {
                    prediction: (),
                    error,
                })?,
            }
        }
        list.end()
    }
}

impl Predictions {
    /// Each row as it is told.
    pub(super) fn rows(&self) -> impl Iterator<Item = Map<String, Value>> {
        self.0.iter().flat_map(|piece| {
            let rows = match piece {
                Piece::Given(table) => table.rows,
                Piece::Refused(_) => 1,
            };
            (0..rows).map(move |row| {
                let told = match piece {
                    Piece::Given(table) => serde_json::to_value(Predicted { table, row }),
                    Piece::Refused(error) => serde_json::to_value(Refused {
                        prediction: (),
                        error,
                    }),
                };
                match told {
                    Ok(Value::Object(told)) => told,
                    _ => Map::new(),
                }
            })
        })
    }
}

#[derive(Serialize)]
struct Refused<'a> {
    /// Null: so that a program which looks for it alone is not misled.
    prediction: (),
    error: &'a str,
}

struct Predicted<'a> {
    table: &'a Table,
    row: u32,
}

impl Serialize for Predicted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = &self.table.columns;
        let mut object = serializer.serialize_map(Some(columns.len()))?;
        for column in columns {
            object.serialize_entry(&column.name, &At(column, self.row))?;
        }
        object.end()
    }
}

/// The value of a column in a row.
struct At<'a>(&'a Column, u32);

impl Serialize for At<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(column, row) = self;
        if column.nulls.binary_search(row).is_ok() {
            return serializer.serialize_unit();
        }
        let row = *row as usize;
        // A number that is not finite is null in JSON.
        match &column.values {
            Values::Floats(values) => values.get(row).serialize(serializer),
            Values::Integers(values) | Values::Timestamps(values) => {
                values.get(row).serialize(serializer)
            }
            Values::Booleans(values) => values.get(row).serialize(serializer),
            Values::Texts(values) => values.get(row).serialize(serializer),
            Values::Categories(categories) => {
                let code = categories.codes.get(row);
                let text = code.and_then(|code| categories.dictionary.get(*code as usize));
                text.serialize(serializer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::tables::Categories;

    #[test]
    fn predictions_are_an_object_a_row() {
        let column = |name: &str, values, nulls| Column {
            name: name.to_owned(),
            values,
            nulls,
        };
        let labels = Values::Categories(Categories {
            dictionary: vec!["b".to_owned(), "a".to_owned()],
            codes: vec![1, 0],
        });
        let table = Table {
            rows: 2,
            columns: vec![
                column("prediction", labels, vec![]),
                column("p", Values::Floats(vec![0.5, 1.0]), vec![1]),
            ],
        };
        let answer = Answer {
            model: "m",
            version: 3,
            notice: None,
            predictions: Predictions(vec![
                Piece::Given(table),
                Piece::Refused("too far".to_owned()),
            ]),
        };
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"model":"m","version":3,"predictions":[{"prediction":"a","p":0.5},{"prediction":"b","p":null},{"prediction":null,"error":"too far"}]}"#
        );
    }
}
