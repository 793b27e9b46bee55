//! JSON Lines to rows, in bounded memory: one flat object a line.
//!
//! Columns are the keys in the order in which they first come; a key that a row lacks is null
//! there. A row that does not fit leaves no columns behind.

use std::{
    collections::BTreeMap,
    fmt,
    io::{BufRead, BufReader, Read},
};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{
    header::{MAX_NAMES, is_name},
    quarantine::{BadRow, Rule},
    records::MAX_RECORD,
    rows::{Fields, Row, Span},
    value::Class,
};

const INPUT: usize = 256 << 10;

/// No value.
const NULL: Span = Span {
    class: Class::Null,
    start: 0,
    end: 0,
};

/// Reads rows one after the other.
pub struct Lines<R> {
    reader: BufReader<R>,
    line: i64,
    /// Bytes read so far.
    pub(crate) consumed: u64,
    input: Vec<u8>,
    pub(crate) columns: Columns,
    spans: Vec<Span>,
    values: Vec<u8>,
}

/// The keys that were met.
#[derive(Default)]
pub(crate) struct Columns {
    names: Vec<String>,
    known: BTreeMap<String, usize>,
}

impl<R: Read> Lines<R> {
    /// From where `reader` is, which is the first line.
    pub fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(INPUT, reader),
            line: 0,
            consumed: 0,
            input: Vec::new(),
            columns: Columns::default(),
            spans: Vec::new(),
            values: Vec::new(),
        }
    }

    /// The next line that is not blank, as a row.
    pub(crate) fn next_line(&mut self) -> Result<Option<Row<'_>>, String> {
        loop {
            self.input.clear();
            let read = self
                .reader
                .by_ref()
                .take(MAX_RECORD as u64 + 1)
                .read_until(b'\n', &mut self.input)
                .map_err(|error| format!("can't read the source: {error}"))?;
            if read == 0 {
                return Ok(None);
            }
            self.line += 1;
            self.consumed += read as u64;
            if read > MAX_RECORD {
                return Err(format!(
                    "row {}: the line is longer than {} MiB: is this JSON Lines, one object a line?",
                    self.line,
                    MAX_RECORD >> 20
                ));
            }
            if !self.input.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        let before = self.columns.names.len();
        if let Err((column, rule)) = self.parse() {
            self.columns.forget(before);
            let raw = self.input.trim_ascii();
            return Ok(Some(Row::Bad(BadRow::new(
                self.line,
                column.as_deref(),
                rule,
                std::iter::once(raw),
                b',',
            ))));
        }
        if self.columns.names.len() > MAX_NAMES {
            return Err(format!(
                "row {}: the objects have more than {MAX_NAMES} different keys: at most so many \
                 columns are taken",
                self.line
            ));
        }
        Ok(Some(Row::Whole(Fields::typed(
            self.line,
            &self.columns.names,
            &self.values,
            &self.spans,
        ))))
    }

    fn parse(&mut self) -> Result<(), (Option<String>, Rule)> {
        let text = std::str::from_utf8(&self.input).map_err(|_| (None, Rule::NotUtf8))?;
        self.values.clear();
        self.spans.clear();
        self.spans.resize(self.columns.names.len(), NULL);
        let mut object = Object {
            columns: &mut self.columns,
            spans: &mut self.spans,
            values: &mut self.values,
            next: 0,
            bad: None,
        };
        let mut json = serde_json::Deserializer::from_str(text);
        json.deserialize_map(&mut object)
            .and_then(|()| json.end())
            .map_err(|_| (None, Rule::NotAnObject))?;
        object.bad.map_or(Ok(()), Err)
    }
}

impl Columns {
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of a key's column, a new one if need be. Rows mostly have the same keys in the
    /// same order, so that `guess` is tried first.
    fn number(&mut self, key: &str, guess: usize) -> Option<usize> {
        if self.names.get(guess).is_some_and(|name| name == key) {
            return Some(guess);
        }
        if let Some(number) = self.known.get(key) {
            return Some(*number);
        }
        if !is_name(key) {
            return None;
        }
        let number = self.names.len();
        self.names.push(key.to_owned());
        self.known.insert(key.to_owned(), number);
        Some(number)
    }

    fn forget(&mut self, after: usize) {
        for name in self.names.drain(after..) {
            self.known.remove(&name);
        }
    }
}

/// An object on its way to the values of a row.
struct Object<'a> {
    columns: &'a mut Columns,
    spans: &'a mut Vec<Span>,
    values: &'a mut Vec<u8>,
    /// The column that the next key probably has.
    next: usize,
    /// The first that does not fit.
    bad: Option<(Option<String>, Rule)>,
}

impl Object<'_> {
    fn put(&mut self, column: Option<usize>, value: &RawValue) {
        let Some(column) = column else {
            self.spoil(None, Rule::BadKey);
            return;
        };
        self.next = column + 1;
        if column >= self.spans.len() {
            self.spans.resize(column + 1, NULL);
        } else if self.spans.get(column).is_some_and(|span| span.end != 0) {
            self.spoil(Some(column), Rule::DuplicateKey);
            return;
        }
        let start = self.values.len();
        // A value's end is never 0, so that a null that comes twice is seen too.
        self.values.push(b' ');
        let text = value.get();
        let class = match text.as_bytes() {
            [b'{' | b'[', ..] => {
                self.spoil(Some(column), Rule::Nested);
                return;
            }
            [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => {
                self.values.extend_from_slice(inner);
                Class::Text
            }
            [b'"', ..] => {
                let Ok(text) = serde_json::from_str::<String>(text) else {
                    // A surrogate without its other half, which is no text.
                    self.spoil(Some(column), Rule::NotUtf8);
                    return;
                };
                self.values.extend_from_slice(text.as_bytes());
                Class::Text
            }
            [b'n', ..] => Class::Null,
            [b't' | b'f', ..] => {
                self.values.extend_from_slice(text.as_bytes());
                Class::Boolean
            }
            _ => {
                self.values.extend_from_slice(text.as_bytes());
                Class::Number
            }
        };
        if let Some(span) = self.spans.get_mut(column) {
            *span = Span {
                class,
                start: start + 1,
                end: self.values.len(),
            };
        }
    }

    fn spoil(&mut self, column: Option<usize>, rule: Rule) {
        let name = column.and_then(|column| self.columns.names.get(column));
        self.bad.get_or_insert((name.cloned(), rule));
    }
}

impl<'de> Visitor<'de> for &mut Object<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        loop {
            let guess = self.next;
            let key = Key {
                columns: self.columns,
                guess,
            };
            let Some(column) = map.next_key_seed(key)? else {
                return Ok(());
            };
            let value: &RawValue = map.next_value()?;
            self.put(column, value);
        }
    }
}

/// A key on its way to the number of its column.
struct Key<'a> {
    columns: &'a mut Columns,
    guess: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.columns.number(key, self.guess))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Told = Result<String, (i64, Option<String>, Rule)>;

    /// Each row's values by column, or its rule and column.
    fn all(text: &str) -> Vec<Told> {
        let mut lines = Lines::new(text.as_bytes());
        let mut all = Vec::new();
        while let Some(row) = lines.next_line().unwrap() {
            all.push(match row {
                Row::Whole(fields) => Ok((0..fields.names.len())
                    .map(|column| {
                        let cell = fields.cell(column);
                        let text = String::from_utf8_lossy(cell.bytes);
                        let name = &fields.names[column];
                        match cell.class {
                            Class::Null => format!("{name}-"),
                            Class::Text => format!("{name}'{text}'"),
                            _ => format!("{name}={text}"),
                        }
                    })
                    .collect::<Vec<_>>()
                    .join(" ")),
                Row::Bad(bad) => Err((bad.row, bad.column, bad.rule)),
            });
        }
        all
    }

    #[test]
    fn keys_are_columns_in_their_first_order() {
        let rows = all(
            "{\"b\":1,\"a\":\"x\\ny\"}\r\n\n{\"a\":null,\"c\":true}\n{}\n{\"c\":\"\",\"b\":-1.5e3}",
        );
        let rows: Vec<_> = rows.into_iter().map(Result::unwrap).collect();
        assert_eq!(
            rows,
            ["b=1 a'x\ny'", "b- a- c=true", "b- a- c-", "b=-1.5e3 a- c''"]
        );
    }

    #[test]
    fn rows_that_do_not_fit_leave_nothing_behind() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let rows = all(&format!(
            "{{\"a\":1}}\n[1]\n{{\"z\":{{}}}}\n{{\"a\":1,\"a\":2}}\n{{\"a\":null,\"a\":null}}\n\
             {{\"septet:row\":1}}\n{{\"a\":1}} 2\n{{\"y\":1\n{{\"a\":\"\\ud800\"}}\n{deep}\n{{\"a\":2}}\n"
        ));
        let a = || Some("a".to_owned());
        assert_eq!(
            rows,
            [
                Ok("a=1".to_owned()),
                Err((2, None, Rule::NotAnObject)),
                Err((3, Some("z".to_owned()), Rule::Nested)),
                Err((4, a(), Rule::DuplicateKey)),
                Err((5, a(), Rule::DuplicateKey)),
                Err((6, None, Rule::BadKey)),
                Err((7, None, Rule::NotAnObject)),
                Err((8, None, Rule::NotAnObject)),
                Err((9, a(), Rule::NotUtf8)),
                Err((10, a(), Rule::Nested)),
                Ok("a=2".to_owned()),
            ]
        );
        let mut lines = Lines::new(b"{\"a\":\"\xff\"}\n".as_slice());
        assert!(matches!(lines.next_line(), Ok(Some(Row::Bad(bad))) if bad.rule == Rule::NotUtf8));
    }

    #[test]
    fn endless_lines_and_keys_are_refused() {
        let told = |text: &str| {
            let mut lines = Lines::new(text.as_bytes());
            loop {
                match lines.next_line() {
                    Ok(Some(_)) => {}
                    Ok(None) => return String::new(),
                    Err(reason) => return reason,
                }
            }
        };
        assert!(told(&format!("{{\"a\":\"{}\"}}", "x".repeat(5 << 20))).contains("longer than 4"));
        let keys: Vec<_> = (0..5_000).map(|key| format!("{{\"k{key}\":1}}")).collect();
        assert!(told(&keys.join("\n")).contains("more than 4095 different keys"));
    }
}
