//! Rows of formats that are text: CSV, and JSON Lines.

use std::io::{BufRead as _, BufReader, Error, Read, Result as Io};

use septet_kit::{
    arrow::{BATCH, MAX_COLUMNS},
    table::{Column, Field, Kind, Table, Values},
};
use serde_json::{Map, Value};

/// The longest row, in bytes.
const ROW: usize = 1 << 20;

/// Bytes of the rows that are given at a time, about.
const BYTES: usize = 16 << 20;

/// Reads no farther than a row may be long.
struct Bounded<R> {
    inner: R,
    left: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Io<usize> {
        if self.left == 0 && !buffer.is_empty() {
            return Err(Error::other(format!("a row has more than {ROW} bytes")));
        }
        let most = buffer.len().min(self.left);
        let read = self
            .inner
            .read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left -= read.min(self.left);
        Ok(read)
    }
}

/// Columns of texts that are filled row by row.
struct Filling {
    columns: Vec<(Vec<String>, Vec<u32>)>,
    rows: usize,
    bytes: usize,
}

impl Filling {
    fn new(columns: usize) -> Self {
        Self {
            columns: vec![Default::default(); columns],
            rows: 0,
            bytes: 0,
        }
    }

    fn is_full(&self) -> bool {
        self.rows >= BATCH || self.bytes >= BYTES
    }

    /// Adds a row, which has a value or none for each column.
    fn add(&mut self, values: impl Iterator<Item = Option<String>>) {
        for ((texts, nulls), value) in self.columns.iter_mut().zip(values) {
            // A text has words that point at it.
            self.bytes += 32 + value.as_ref().map_or(0, String::len);
            if value.is_none() {
                nulls.push(self.rows as u32);
            }
            texts.push(value.unwrap_or_default());
        }
        self.rows += 1;
    }

    fn table(self, fields: &[Field]) -> Option<Table> {
        if self.rows == 0 {
            return None;
        }
        let columns = fields.iter().zip(self.columns);
        let columns = columns.map(|(field, (texts, nulls))| Column {
            name: field.name.clone(),
            values: Values::Texts(texts),
            nulls,
        });
        Some(Table {
            rows: self.rows,
            columns: columns.collect(),
        })
    }
}

fn fields<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<Field>, String> {
    let fields: Vec<_> = names
        .take(MAX_COLUMNS + 1)
        .map(|name| Field {
            name: name.to_owned(),
            kind: Kind::Texts,
        })
        .collect();
    if fields.len() > MAX_COLUMNS {
        return Err(format!("it has more than {MAX_COLUMNS} columns"));
    }
    Ok(fields)
}

/// CSV with a header; an empty field is a null.
pub(super) struct Csv<R> {
    inner: csv::Reader<Bounded<R>>,
    fields: Vec<Field>,
}

impl<R: Read> Csv<R> {
    /// Reads the header.
    pub(super) fn open(file: R) -> Result<Self, String> {
        let bounded = Bounded {
            inner: file,
            left: ROW,
        };
        let mut inner = csv::Reader::from_reader(bounded);
        let header = inner.headers().map_err(|error| unread(&error))?;
        let fields = fields(header.iter())?;
        Ok(Self { inner, fields })
    }

    pub(super) fn fields(&self) -> &[Field] {
        &self.fields
    }

    pub(super) fn next(&mut self) -> Result<Option<Table>, String> {
        let mut filling = Filling::new(self.fields.len());
        let mut record = csv::StringRecord::new();
        while !filling.is_full() {
            self.inner.get_mut().left = ROW;
            let more = self.inner.read_record(&mut record);
            if !more.map_err(|error| unread(&error))? {
                break;
            }
            let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            filling.add(record.iter().map(text));
        }
        Ok(filling.table(&self.fields))
    }
}

fn unread(error: &csv::Error) -> String {
    format!("it is no CSV: {error}")
}

/// A JSON object a line. Its columns are those of the first lines; one that a line has not is null there.
pub(super) struct JsonLines<R> {
    inner: BufReader<R>,
    fields: Vec<Field>,
    /// Lines that were read to know the columns.
    first: Vec<Map<String, Value>>,
    line: usize,
}

impl<R: Read> JsonLines<R> {
    /// Reads the first lines.
    pub(super) fn open(file: R) -> Result<Self, String> {
        let mut rows = Self {
            inner: BufReader::new(file),
            fields: Vec::new(),
            first: Vec::new(),
            line: 0,
        };
        rows.first = rows.batch()?;
        let mut names: Vec<&str> = Vec::new();
        let mut known = std::collections::HashSet::new();
        for name in rows.first.iter().flat_map(Map::keys) {
            if known.insert(name.as_str()) {
                names.push(name);
            }
        }
        rows.fields = fields(names.into_iter())?;
        Ok(rows)
    }

    pub(super) fn fields(&self) -> &[Field] {
        &self.fields
    }

    pub(super) fn next(&mut self) -> Result<Option<Table>, String> {
        let mut lines = std::mem::take(&mut self.first);
        let before = self.line - lines.len();
        if lines.is_empty() {
            lines = self.batch()?;
        }
        let mut filling = Filling::new(self.fields.len());
        for (at, mut line) in (before + 1..).zip(lines) {
            filling.add(self.fields.iter().map(|field| {
                let value = line.remove(&field.name).filter(|value| !value.is_null());
                value.map(|value| value.to_string())
            }));
            if let Some(name) = line.keys().next() {
                let name = crate::capability::clean(name, 80);
                return Err(format!(
                    "row {at} has '{name}', which none of the first rows has"
                ));
            }
        }
        Ok(filling.table(&self.fields))
    }

    fn batch(&mut self) -> Result<Vec<Map<String, Value>>, String> {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        let mut text = Vec::new();
        while lines.len() < BATCH && bytes < BYTES {
            text.clear();
            let mut line = (&mut self.inner).take(ROW as u64 + 1);
            let read = line.read_until(b'\n', &mut text);
            let read = read.map_err(|error| format!("it can't be read: {error}"))?;
            if read == 0 {
                break;
            }
            let number = self.line + 1;
            if read > ROW {
                return Err(format!("row {number} has more than {ROW} bytes"));
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            let object = serde_json::from_slice(&text);
            let object = object.map_err(|error| format!("row {number} is no object: {error}"))?;
            lines.push(object);
            self.line = number;
            // What is parsed takes more than its text.
            bytes += 4 * read;
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn csv(text: &str) -> Result<Vec<Table>, String> {
        let mut rows = Csv::open(Cursor::new(text.to_owned()))?;
        std::iter::from_fn(|| rows.next().transpose()).collect()
    }

    fn lines(text: &str) -> Result<Vec<Table>, String> {
        let mut rows = JsonLines::open(Cursor::new(text.to_owned()))?;
        std::iter::from_fn(|| rows.next().transpose()).collect()
    }

    #[test]
    fn rows_are_read_with_their_nulls() {
        let tables = csv("a,b\n1,\n\"x,\"\"y\",2\n").unwrap();
        let texts = |column: &Column| -> Vec<_> { (0..2).map(|row| column.label(row)).collect() };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(texts(&tables[0].columns[0]), [text("1"), text("x,\"y")]);
        assert_eq!(texts(&tables[0].columns[1]), [None, text("2")]);
        let tables = lines("{\"a\":1.5,\"b\":null}\n\n{\"b\":\"1\",\"c\":[1]}\n").unwrap();
        assert_eq!(texts(&tables[0].columns[0]), [text("1.5"), None]);
        assert_eq!(texts(&tables[0].columns[1]), [None, text("\"1\"")]);
        assert_eq!(texts(&tables[0].columns[2]), [None, text("[1]")]);
        tables[0].validate().unwrap();
        assert!(lines("").unwrap().is_empty() && csv("").unwrap().is_empty());
    }

    #[test]
    fn many_rows_come_some_at_a_time() {
        let long = format!("a\n{}", "1\n".repeat(2 * BATCH + 5));
        let rows: Vec<_> = csv(&long).unwrap().iter().map(|table| table.rows).collect();
        assert_eq!(rows, [BATCH, BATCH, 5]);
        let long = "{\"a\":1}\n".repeat(2 * BATCH + 5);
        let rows: Vec<_> = lines(&long).unwrap().iter().map(|t| t.rows).collect();
        assert_eq!(rows, [BATCH, BATCH, 5]);
        // Wide ones are fewer at a time.
        let wide = format!("a\n{}", format!("{}\n", "x".repeat(1 << 19)).repeat(64));
        assert!(csv(&wide).unwrap().len() > 1);
    }

    #[test]
    fn what_is_neither_is_said() {
        let endless = "x".repeat(2 * ROW + (1 << 17));
        assert!(csv(&endless).unwrap_err().contains("more than"));
        assert!(lines(&endless).unwrap_err().contains("more than"));
        let quoted = format!("a,b\n1,\"{endless}");
        assert!(csv(&quoted).unwrap_err().contains("more than"));
        assert!(csv("a,b\n1\n").unwrap_err().contains("no CSV"));
        assert!(lines("[1]\n").unwrap_err().contains("row 1 is no object"));
        let deep = format!("{{\"a\":{}", "[".repeat(1000));
        assert!(lines(&deep).unwrap_err().contains("row 1 is no object"));
        let late = format!("{}{{\"b\":1}}\n", "{\"a\":1}\n".repeat(BATCH));
        let line = lines(&late).unwrap_err();
        assert!(line.contains("row 8193 has 'b'"), "{line}");
        let wide = format!("{}\n", ",".repeat(MAX_COLUMNS));
        assert!(csv(&wide).unwrap_err().contains("columns"));
    }
}
