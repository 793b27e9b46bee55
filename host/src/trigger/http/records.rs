//! Rows in JSON to values of the kinds that a model needs.
//!
//! The text is read once, straight into values: a tree of JSON would take many times its size.

use std::{cell::Cell, collections::BTreeMap, fmt};

use serde::de::{DeserializeSeed, Deserializer as _, Error, MapAccess, SeqAccess, Visitor};

use super::{moment::moment, refusal::Refusal};
use crate::{
    capability::{bindings::septet::transform::tables::Kind, clean},
    pipeline::registry::nearest,
    stage::{Feature, Signature},
};

/// The longest name that is shown, in bytes.
const SHOWN: u64 = 80;

/// How many columns are named that no record has.
const NAMED: usize = 10;

/// Whole numbers up to this are exact in a float.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A value that is there.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Datum {
    Float(f64),
    Integer(i64),
    Boolean(bool),
    Text(String),
    Time(i64),
}

/// The values of a row that are there, each with the number of its input; in no order.
pub(super) type Row = Vec<(usize, Datum)>;

/// Reads `{"records": [{…}, …]}`, or the list alone: at most `most` rows of the signature's inputs.
/// What is null is missing, and so is what a record has not; but each column has to be in some
/// record. An error names the row, from 1, and the column.
pub(super) fn read(body: &[u8], signature: &Signature, most: usize) -> Result<Vec<Row>, Refusal> {
    let columns = signature.inputs.iter().enumerate();
    let columns = columns.map(|(at, input)| (input.name.as_str(), (at, input)));
    let reader = Reader {
        columns: columns.collect(),
        most,
        over: Cell::new(false),
        given: vec![Cell::new(false); signature.inputs.len()],
    };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let rows = (&mut deserializer)
        .deserialize_any(Body(&reader))
        .and_then(|rows| deserializer.end().map(|()| rows));
    let rows = rows.map_err(|error| {
        if reader.over.get() {
            return Refusal::too_large(format!(
                "too many records: at most {most} are predicted at once"
            ));
        }
        Refusal::bad(error.to_string())
    })?;
    // A column that a client never sends is a slip, and no missing value.
    let inputs = signature.inputs.iter().zip(&reader.given);
    let never = inputs.filter(|(_, given)| !given.get());
    let never: Vec<String> = never
        .map(|(input, _)| format!("'{}'", shown(input)))
        .collect();
    if !rows.is_empty() && !never.is_empty() {
        let count = never.len();
        let more = count.checked_sub(NAMED).filter(|more| *more > 0);
        let more = more
            .map(|more| format!(" and {more} more"))
            .unwrap_or_default();
        let named = never.get(..NAMED.min(count)).unwrap_or_default().join(", ");
        return Err(Refusal::bad(format!(
            "no record has {named}{more}, which the model needs: where a value is missing, send null"
        )));
    }
    Ok(rows)
}

struct Reader<'s> {
    columns: BTreeMap<&'s str, (usize, &'s Feature)>,
    most: usize,
    /// Whether there were too many rows.
    over: Cell<bool>,
    /// Which inputs a record had, be it as null.
    given: Vec<Cell<bool>>,
}

/// The whole body.
struct Body<'r, 's>(&'r Reader<'s>);

impl<'de> Visitor<'de> for Body<'_, '_> {
    type Value = Vec<Row>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records, or an object with the list 'records'")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Row>, A::Error> {
        let mut rows = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != "records" {
                let shown = clean(&key, SHOWN);
                return Err(A::Error::custom(format!(
                    "there is no field '{shown}': the records are in 'records'"
                )));
            }
            if rows
                .replace(map.next_value_seed(Records(self.0))?)
                .is_some()
            {
                return Err(A::Error::custom("'records' comes twice"));
            }
        }
        rows.ok_or_else(|| A::Error::custom("the field 'records' is missing"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<Row>, A::Error> {
        Records(self.0).visit_seq(list)
    }
}

/// The list.
struct Records<'r, 's>(&'r Reader<'s>);

impl<'de> DeserializeSeed<'de> for Records<'_, '_> {
    type Value = Vec<Row>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Vec<Row>, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Records<'_, '_> {
    type Value = Vec<Row>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Row>, A::Error> {
        let mut rows = Vec::new();
        loop {
            let record = Record {
                reader: self.0,
                row: rows.len() + 1,
            };
            let Some(row) = list.next_element_seed(record)? else {
                return Ok(rows);
            };
            rows.push(row);
        }
    }
}

/// One record.
struct Record<'r, 's> {
    reader: &'r Reader<'s>,
    row: usize,
}

impl<'de> DeserializeSeed<'de> for Record<'_, '_> {
    type Value = Row;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Row, D::Error> {
        if self.row > self.reader.most {
            self.reader.over.set(true);
            return Err(D::Error::custom("too many records"));
        }
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Record<'_, '_> {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object as record {}", self.row)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let columns = &self.reader.columns;
        let mut row = Row::new();
        let mut seen = vec![false; columns.len()];
        while let Some(key) = map.next_key::<String>()? {
            let Some((at, input)) = columns.get(key.as_str()) else {
                return Err(A::Error::custom(self.unknown(&key)));
            };
            let seen = seen.get_mut(*at).map(|seen| std::mem::replace(seen, true));
            if seen == Some(true) {
                let line = format!("record {}: '{}' comes twice", self.row, shown(input));
                return Err(A::Error::custom(line));
            }
            if let Some(given) = self.reader.given.get(*at) {
                given.set(true);
            }
            let value = Value {
                input,
                row: self.row,
            };
            if let Some(value) = map.next_value_seed(value)? {
                row.push((*at, value));
            }
        }
        Ok(row)
    }
}

impl Record<'_, '_> {
    fn unknown(&self, key: &str) -> String {
        let near = nearest(key, self.reader.columns.keys().copied());
        let near = near.map(|near| format!(": is it '{}'?", clean(near, SHOWN)));
        let key = clean(key, SHOWN);
        let row = self.row;
        format!(
            "record {row}: the model has no input '{key}'{}",
            near.unwrap_or_default()
        )
    }
}

/// One value of one record.
#[derive(Clone, Copy)]
struct Value<'s> {
    input: &'s Feature,
    row: usize,
}

impl Value<'_> {
    fn wrong<E: Error>(self, found: &str) -> E {
        let wanted = match self.input.kind {
            Kind::Floats | Kind::Integers => "a number",
            Kind::Booleans => "true or false",
            Kind::Texts | Kind::Categories => "a text",
            Kind::Timestamps => "a time as 2024-01-31T12:34:56Z",
        };
        let name = shown(self.input);
        E::custom(format!(
            "record {}: '{name}' is {found} where the model needs {wanted}",
            self.row
        ))
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Option<Datum>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Option<Datum>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, true, false or null")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        match self.input.kind {
            Kind::Booleans => Ok(Some(Datum::Boolean(value))),
            Kind::Texts | Kind::Categories => Ok(Some(Datum::Text(value.to_string()))),
            _ => Err(self.wrong(if value { "true" } else { "false" })),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        match self.input.kind {
            Kind::Floats => Ok(Some(Datum::Float(value as f64))),
            Kind::Integers => Ok(Some(Datum::Integer(value))),
            // A code that a file has without quotes: it has one spelling.
            Kind::Texts | Kind::Categories => Ok(Some(Datum::Text(value.to_string()))),
            _ => Err(self.wrong("a number")),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        match self.input.kind {
            Kind::Integers if value.fract() == 0.0 && value.abs() <= EXACT => {
                Ok(Some(Datum::Integer(value as i64)))
            }
            Kind::Floats | Kind::Integers => Ok(Some(Datum::Float(value))),
            _ => Err(self.wrong("a number")),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        match self.input.kind {
            Kind::Texts | Kind::Categories => Ok(Some(Datum::Text(value.to_owned()))),
            Kind::Timestamps => {
                let time = moment(value).ok_or_else(|| {
                    let value = clean(value, 40);
                    self.wrong(&format!("'{value}'"))
                });
                time.map(|time| Some(Datum::Time(time)))
            }
            _ => Err(self.wrong("a text")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(self.wrong("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(self.wrong("an object"))
    }
}

fn shown(input: &Feature) -> String {
    clean(&input.name, SHOWN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signature() -> Signature {
        let input = |name: &str, kind| Feature {
            name: name.to_owned(),
            kind,
            nullable: true,
        };
        Signature {
            inputs: vec![
                input("length", Kind::Floats),
                input("count", Kind::Integers),
                input("flag", Kind::Booleans),
                input("island", Kind::Categories),
                input("at", Kind::Timestamps),
            ],
            outputs: Vec::new(),
        }
    }

    fn rows(body: &str) -> Result<Vec<Row>, String> {
        read(body.as_bytes(), &signature(), 3).map_err(|refusal| format!("{refusal:?}"))
    }

    #[test]
    fn values_become_the_kinds_that_are_needed() {
        let rows = rows(
            r#"{"records":[{"length":3,"count":4.0,"flag":true,"island":"x","at":"1970-01-02"},
            {"length":null},{"island":7,"count":1.5}]}"#,
        );
        let rows = rows.unwrap();
        assert_eq!(
            rows[0],
            [
                (0, Datum::Float(3.0)),
                (1, Datum::Integer(4)),
                (2, Datum::Boolean(true)),
                (3, Datum::Text("x".to_owned())),
                (4, Datum::Time(86_400_000_000)),
            ]
        );
        assert!(rows[1].is_empty());
        assert_eq!(
            rows[2],
            [(3, Datum::Text("7".to_owned())), (1, Datum::Float(1.5))]
        );
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_row() {
        for (body, told) in [
            (r#"[{},{"length":"3"}]"#, "record 2: 'length' is a text"),
            (r#"[{"lenght":3}]"#, "no input 'lenght': is it 'length'?"),
            (r#"[{"flag":1}]"#, "'flag' is a number where"),
            (r#"[{"length":[1]}]"#, "'length' is a list"),
            (r#"[{"at":"tomorrow"}]"#, "'at' is 'tomorrow' where"),
            (r#"[{"length":1,"length":2}]"#, "comes twice"),
            (
                r#"[{"length":1,"count":2},{"at":null}]"#,
                "no record has 'flag', 'island', which",
            ),
            (r"[1]", "as record 1"),
            (r"{}", "'records' is missing"),
            (r#"{"rows":[]}"#, "no field 'rows'"),
            (r"[{},{},{},{}]", "at most 3"),
            (r"[{}] []", "trailing"),
            (r#"[{"length":1e999}]"#, "out of range"),
            (r"", "EOF"),
        ] {
            let error = rows(body).unwrap_err();
            assert!(error.contains(told), "{body}: {error}");
        }
        let deep = format!("[{{\"length\":{}", "[".repeat(100_000));
        assert!(rows(&deep).is_err());
        assert!(rows(&"[".repeat(100_000)).is_err());
        assert!(read(b"[{\"island\":\"\xff\"}]", &signature(), 3).is_err());
    }

    #[test]
    fn no_records_need_no_columns() {
        assert_eq!(rows("[]").unwrap(), Vec::<Row>::new());
        let nulls = r#"{"length":null,"count":null,"flag":null,"island":null,"at":null}"#;
        assert_eq!(
            rows(&format!("[{{}},{nulls}]")).unwrap(),
            [Row::new(), Row::new()]
        );
        let error = rows("[{}]").unwrap_err();
        assert!(
            error.contains("no record has 'length'") && error.contains("null"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, &signature(), 3);
        }
    }
}
