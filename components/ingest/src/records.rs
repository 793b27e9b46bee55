//! Bytes to records, as RFC 4180 has them, in bounded memory.
//!
//! It stands on the parser below the `csv` crate, because that crate's own reader takes a record
//! of any length into memory.

use std::io::Read;

use csv_core::{ReadRecordResult, ReaderBuilder};

/// Bytes of a record at most, unquoted.
pub const MAX_RECORD: usize = 4 << 20;

/// Fields of a record at most: one more than a header may have, which tells of it better.
pub const MAX_FIELDS: usize = septet_kit::arrow::MAX_COLUMNS;

const INPUT: usize = 256 << 10;

/// A record: its fields and the line on which it began, from 1.
pub struct Record<'a> {
    /// The line of the source on which the record began.
    pub line: i64,
    /// All of its bytes, without delimiters.
    pub bytes: &'a [u8],
    /// Where in the bytes each field ends.
    pub ends: &'a [usize],
}

impl<'a> Record<'a> {
    /// How many fields.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no fields.
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The fields, unquoted.
    pub fn fields(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let field = bytes.get(start..*end).unwrap_or_default();
            start = *end;
            field
        })
    }
}

/// Reads records one after the other.
pub struct Records<R> {
    reader: R,
    parser: csv_core::Reader,
    input: Vec<u8>,
    at: usize,
    filled: usize,
    /// Lines that ended so far.
    lines: i64,
    /// Whether the last byte was a carriage return.
    after_return: bool,
    consumed: u64,
    output: Vec<u8>,
    ends: Vec<usize>,
}

impl<R: Read> Records<R> {
    /// From where `reader` is, which is the first line.
    pub fn new(reader: R, delimiter: u8) -> Self {
        Self {
            reader,
            parser: ReaderBuilder::new().delimiter(delimiter).build(),
            input: vec![0; INPUT],
            at: 0,
            filled: 0,
            lines: 0,
            after_return: false,
            consumed: 0,
            output: vec![0; 4 << 10],
            ends: vec![0; 64],
        }
    }

    /// Bytes read so far.
    pub const fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The next record that is not a blank line; none at the end. A record that is too long, or
    /// a quote that is never closed, is an error: what follows can't be told apart.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, String> {
        self.skip_blank_lines()?;
        let line = self.lines + 1;
        let (mut written, mut fields) = (0, 0);
        let mut quotes = 0_usize;
        loop {
            if self.at == self.filled {
                self.fill()?;
            }
            let ended = self.filled == 0;
            let input = self.input.get(self.at..self.filled).unwrap_or_default();
            let (result, read, wrote, found) = self.parser.read_record(
                input,
                self.output.get_mut(written..).unwrap_or_default(),
                self.ends.get_mut(fields..).unwrap_or_default(),
            );
            quotes += self.count(read);
            written += wrote;
            fields += found;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    if self.output.len() >= MAX_RECORD {
                        return Err(format!(
                            "row {line}: the record is longer than {} MiB: a quote may not be \
                             closed, or the file is not CSV",
                            MAX_RECORD >> 20
                        ));
                    }
                    self.output.resize(self.output.len() * 2, 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    if self.ends.len() >= MAX_FIELDS {
                        return Err(format!(
                            "row {line}: the record has more than {} fields",
                            MAX_FIELDS - 1
                        ));
                    }
                    let more = (self.ends.len() * 2).min(MAX_FIELDS);
                    self.ends.resize(more, 0);
                }
                ReadRecordResult::Record => {
                    if ended && quotes % 2 == 1 && self.lines >= line {
                        return Err(format!("row {line}: a quote is opened and never closed"));
                    }
                    break;
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
        Ok(Some(Record {
            line,
            bytes: self.output.get(..written).unwrap_or_default(),
            ends: self.ends.get(..fields).unwrap_or_default(),
        }))
    }

    /// The parser skips blank lines too, but does not say on which line the record then begins.
    fn skip_blank_lines(&mut self) -> Result<(), String> {
        loop {
            if self.at == self.filled {
                self.fill()?;
                if self.filled == 0 {
                    return Ok(());
                }
            }
            match self.input.get(self.at) {
                Some(b'\r' | b'\n') => {
                    self.count(1);
                }
                _ => return Ok(()),
            }
        }
    }

    fn fill(&mut self) -> Result<(), String> {
        self.at = 0;
        self.filled = 0;
        self.filled = loop {
            match self.reader.read(&mut self.input) {
                Ok(read) => break read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("can't read the source: {error}")),
            }
        };
        Ok(())
    }

    /// Passes over `read` bytes; counts line ends (`\n`, `\r\n` or `\r`) and gives the quotes.
    fn count(&mut self, read: usize) -> usize {
        let end = self.at.saturating_add(read).min(self.filled);
        let mut quotes = 0;
        for byte in self.input.get(self.at..end).unwrap_or_default() {
            match byte {
                b'\n' => self.lines += i64::from(!self.after_return),
                b'\r' => self.lines += 1,
                b'"' => quotes += 1,
                _ => {}
            }
            self.after_return = *byte == b'\r';
        }
        self.consumed += (end - self.at) as u64;
        self.at = end;
        quotes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a byte at a time, so that every state is met at the end of a piece.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = buffer.len().min(1);
            self.0.read(&mut buffer[..length])
        }
    }

    fn all(text: &str) -> Vec<(i64, Vec<String>)> {
        fn collect<R: Read>(reader: R) -> Vec<(i64, Vec<String>)> {
            let mut records = Records::new(reader, b',');
            let mut all = Vec::new();
            while let Some(record) = records.next_record().unwrap() {
                let fields = record
                    .fields()
                    .map(|field| String::from_utf8_lossy(field).into_owned())
                    .collect();
                all.push((record.line, fields));
            }
            all
        }
        let whole = collect(text.as_bytes());
        assert_eq!(whole, collect(Drip(text.as_bytes())));
        whole
    }

    fn row(line: i64, fields: &[&str]) -> (i64, Vec<String>) {
        (line, fields.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn quotes_and_line_ends() {
        assert_eq!(
            all("a,b\r\n\"x, \"\"y\"\"\",\"two\r\nlines\"\r\n1,2"),
            [
                row(1, &["a", "b"]),
                row(2, &["x, \"y\"", "two\r\nlines"]),
                row(4, &["1", "2"]),
            ]
        );
        assert_eq!(
            all("a\r1\r2"),
            [row(1, &["a"]), row(2, &["1"]), row(3, &["2"])]
        );
    }

    #[test]
    fn blank_lines_count_as_lines() {
        assert_eq!(
            all("\n\na,b\n\n\r\n1,2\n\n"),
            [row(3, &["a", "b"]), row(6, &["1", "2"])]
        );
        assert!(all("").is_empty());
        assert_eq!(all(",\n"), [row(1, &["", ""])]);
    }

    #[test]
    fn an_open_quote_and_a_long_record_are_told() {
        let told = |text: &[u8]| {
            let mut records = Records::new(text, b',');
            loop {
                match records.next_record() {
                    Ok(Some(_)) => {}
                    Ok(None) => return String::new(),
                    Err(reason) => return reason,
                }
            }
        };
        assert_eq!(
            told(b"a,b\n\"1,2\n3,4\n"),
            "row 2: a quote is opened and never closed"
        );
        let long = [b"a,b\n".as_slice(), &vec![b'x'; 10 << 20]].concat();
        assert!(told(&long).starts_with("row 2: the record is longer than 4 MiB"));
        assert!(told(&vec![b','; 20_000]).contains("fields"));
        // An inch mark is no open quote.
        assert_eq!(told(b"a,b\n5\",6\n"), "");
    }
}
