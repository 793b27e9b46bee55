//! Rows that ingest set apart, back in the order of the source.

use std::io::{BufRead, BufReader, Read};

use septet_kit::{show::shown, table::QUARANTINED};
use serde::Deserialize;

/// Bytes of a line of a quarantine.
const MAX_LINE: u64 = 1 << 20;

/// A row that ingest set apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRow {
    /// The source's line, as a table's rows have it.
    pub(crate) line: i64,
    /// Why, beginning with [`QUARANTINED`].
    pub(crate) error: String,
}

/// A line of a quarantine.
#[derive(Deserialize)]
struct Line {
    row: i64,
    column: Option<String>,
    rule: String,
    #[serde(default)]
    raw: Option<String>,
}

/// Reads a part's quarantine, one row ahead.
pub(crate) struct Apart<R> {
    reader: Option<BufReader<R>>,
    next: Option<BadRow>,
    number: u64,
}

impl<R: Read> Apart<R> {
    /// From the first row; a part without a quarantine has none.
    pub(crate) fn new(quarantine: Option<R>) -> Result<Self, String> {
        let mut apart = Self {
            reader: quarantine.map(BufReader::new),
            next: None,
            number: 0,
        };
        apart.next = apart.read()?;
        Ok(apart)
    }

    /// The next row, if its line is before `line`.
    pub(crate) fn before(&mut self, line: i64) -> Result<Option<BadRow>, String> {
        match &self.next {
            Some(next) if next.line < line => self.pop(),
            _ => Ok(None),
        }
    }

    /// The next row.
    pub(crate) fn pop(&mut self) -> Result<Option<BadRow>, String> {
        let Some(row) = self.next.take() else {
            return Ok(None);
        };
        // One row may break several rules; it is told once.
        self.next = self.read()?;
        while self.next.as_ref().is_some_and(|next| next.line == row.line) {
            self.next = self.read()?;
        }
        Ok(Some(row))
    }

    fn read(&mut self) -> Result<Option<BadRow>, String> {
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        self.number += 1;
        reader
            .by_ref()
            .take(MAX_LINE)
            .read_until(b'\n', &mut bytes)
            .map_err(|error| format!("can't read the quarantine: {error}"))?;
        if bytes.is_empty() {
            self.reader = None;
            return Ok(None);
        }
        let line: Line = serde_json::from_slice(&bytes).map_err(|_| {
            format!(
                "line {} of the quarantine is not one that ingest writes",
                self.number
            )
        })?;
        Ok(Some(line.told()))
    }
}

impl Line {
    fn told(self) -> BadRow {
        let rule = shown(&self.rule, 40).replace('-', " ");
        let column = self.column.map(|name| shown(&name, 80));
        let column = column.map_or_else(String::new, |name| format!("column '{name}': "));
        let raw = self.raw.map(|raw| shown(&raw, 40));
        let raw = raw.map_or_else(String::new, |raw| format!(" ('{raw}')"));
        BadRow {
            line: self.row,
            error: format!("{QUARANTINED}{column}{rule}{raw}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(lines: &str) -> Apart<&[u8]> {
        Apart::new(Some(lines.as_bytes())).unwrap()
    }

    #[test]
    fn rows_come_once_and_in_order() {
        let mut apart = apart(
            "{\"row\":3,\"column\":\"age\",\"rule\":\"not-a-number\",\"raw\":\"a\\nb\"}\n\
             {\"row\":3,\"column\":\"x\",\"rule\":\"not-finite\",\"raw\":\"inf\"}\n\
             {\"row\":9,\"column\":null,\"rule\":\"wrong-field-count\",\"raw\":\"1,2\"}\n",
        );
        assert_eq!(apart.before(3), Ok(None));
        assert_eq!(
            apart.before(4).unwrap().unwrap().error,
            "quarantined: column 'age': not a number ('a\\nb')"
        );
        assert_eq!(apart.before(9), Ok(None));
        assert_eq!(
            apart.pop().unwrap().unwrap().error,
            "quarantined: wrong field count ('1,2')"
        );
        assert_eq!(apart.pop(), Ok(None));
        assert_eq!(Apart::new(None::<&[u8]>).unwrap().pop(), Ok(None));
    }

    #[test]
    fn what_ingest_does_not_write_is_told() {
        for lines in ["x\n".to_owned(), "{}\n".to_owned(), "[".repeat(3 << 20)] {
            let told = Apart::new(Some(lines.as_bytes())).err().unwrap();
            assert_eq!(
                told,
                "line 1 of the quarantine is not one that ingest writes"
            );
        }
    }
}
