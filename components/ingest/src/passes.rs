//! The whole of it: two passes over a source.

use std::io::{Read, Seek, SeekFrom, Write};

use septet_kit::{
    arrow::{self, BATCH, Writer},
    table::{Column, Field, Kind, Table},
};
use serde::Serialize;

use crate::{
    batch::{Batch, text},
    door::{Door, HEAD, look},
    header::names,
    kind::Tally,
    parameters::Parameters,
    quarantine::{BadRow, Rule},
    records::{Record, Records},
};

/// The media type of JSON Lines.
pub const JSON_LINES: &str = "application/x-ndjson";

/// What a source became.
pub struct Ingested<W> {
    /// The Arrow file.
    pub table: W,
    /// JSON.
    pub schema: Vec<u8>,
    /// JSON Lines; none where every row fits.
    pub quarantine: Option<W>,
    /// Rows of the table.
    pub rows: u64,
    /// Columns of the source.
    pub columns: usize,
    /// Rows that were set apart.
    pub quarantined: u64,
    /// The first of them.
    pub first_bad: Option<BadRow>,
}

#[derive(Serialize)]
struct Schema<'a> {
    format: u32,
    columns: Vec<SchemaColumn<'a>>,
    rows: u64,
}

#[derive(Serialize)]
struct SchemaColumn<'a> {
    name: &'a str,
    kind: Kind,
    nulls: u64,
}

/// Reads `source` twice and writes its table, and the rows that do not fit, to writers that
/// `create` gives for a media type. `progress` hears how many bytes of how many are done.
pub fn ingest<R: Read + Seek, W: Write>(
    mut source: R,
    parameters: &Parameters,
    mut create: impl FnMut(&str) -> Result<W, String>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Ingested<W>, String> {
    parameters.check()?;
    let size = source.seek(SeekFrom::End(0)).map_err(unreadable)?;
    let door = at_the_door(&mut source, parameters)?;

    let records = Records::new(from(source, &door)?, door.delimiter);
    let (source, fields, total) = first_pass(records, parameters, &mut |done| {
        progress(done, size * 2);
    })?;

    let records = Records::new(from(source, &door)?, door.delimiter);
    let mut second = Second {
        batch: Batch::new(fields),
        writer: None,
        nulls: Vec::new(),
        quarantine: None,
        rows: 0,
        quarantined: 0,
        first_bad: None,
    };
    second.run(records, door.delimiter, &mut create, &mut |done| {
        progress(size + done, size * 2);
    })?;
    progress(size * 2, size * 2);
    second.end(total, parameters.max_quarantine)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` passes")]
fn unreadable(error: std::io::Error) -> String {
    format!("can't read the source: {error}")
}

fn at_the_door<R: Read + Seek>(source: &mut R, parameters: &Parameters) -> Result<Door, String> {
    source.rewind().map_err(unreadable)?;
    let mut head = Vec::with_capacity(HEAD);
    source
        .by_ref()
        .take(HEAD as u64)
        .read_to_end(&mut head)
        .map_err(unreadable)?;
    look(&head, parameters.delimiter_byte()?)
}

fn from<R: Seek>(mut source: R, door: &Door) -> Result<R, String> {
    source
        .seek(SeekFrom::Start(door.skip))
        .map_err(unreadable)?;
    Ok(source)
}

/// Finds the kind of each column over all rows, and how many rows there are.
fn first_pass<R: Read>(
    mut records: Records<R>,
    parameters: &Parameters,
    progress: &mut dyn FnMut(u64),
) -> Result<(R, Vec<Field>, u64), String> {
    let header = records
        .next_record()?
        .ok_or_else(|| "the file is empty: it has only blank lines".to_owned())?;
    let names = names(&header)?;
    let mut tallies = vec![Tally::default(); names.len()];
    let mut total = 0_u64;
    while let Some(record) = records.next_record()? {
        total += 1;
        // A row that will be set apart for its form does not vote.
        if record.len() == tallies.len() {
            for (tally, field) in tallies.iter_mut().zip(record.fields()) {
                if let Ok(text) = text(field) {
                    tally.add(text);
                }
            }
        }
        if total.is_multiple_of(BATCH as u64) {
            progress(records.consumed());
        }
    }
    if total == 0 {
        return Err("the file has a header and no rows".to_owned());
    }
    let fields = names
        .into_iter()
        .zip(&tallies)
        .map(|(name, tally)| Field {
            name,
            kind: tally.kind(parameters.max_quarantine),
        })
        .collect();
    Ok((records.into_inner(), fields, total))
}

/// Writes rows and sets apart those that do not fit.
struct Second<W: Write> {
    batch: Batch,
    writer: Option<Writer<W>>,
    /// For each column of the batch.
    nulls: Vec<u64>,
    quarantine: Option<W>,
    rows: u64,
    quarantined: u64,
    first_bad: Option<BadRow>,
}

impl<W: Write> Second<W> {
    fn run<R: Read>(
        &mut self,
        mut records: Records<R>,
        delimiter: u8,
        create: &mut dyn FnMut(&str) -> Result<W, String>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), String> {
        let fields = self.batch.fields().to_vec();
        self.nulls = vec![0; fields.len()];
        self.writer = Some(Writer::new(create(arrow::MEDIA_TYPE)?, fields)?);
        records.next_record()?;
        while let Some(record) = records.next_record()? {
            if let Some(bad) = self.push(&record, delimiter) {
                self.set_apart(bad, create)?;
            }
            if self.batch.is_full() {
                self.flush()?;
                progress(records.consumed());
            }
        }
        self.flush()
    }

    /// Adds a row, or gives why it does not fit.
    fn push(&mut self, record: &Record<'_>, delimiter: u8) -> Option<BadRow> {
        if record.len() + 1 != self.batch.fields().len() {
            return Some(BadRow::new(
                record.line,
                None,
                Rule::WrongFieldCount,
                record.fields(),
                delimiter,
            ));
        }
        let (at, rule) = self.batch.push(record.line, record.fields()).err()?;
        let column = self.batch.fields().get(at + 1);
        Some(BadRow::new(
            record.line,
            column.map(|field| field.name.as_str()),
            rule,
            record.fields().skip(at).take(1),
            delimiter,
        ))
    }

    fn set_apart(
        &mut self,
        bad: BadRow,
        create: &mut dyn FnMut(&str) -> Result<W, String>,
    ) -> Result<(), String> {
        let writer = match &mut self.quarantine {
            Some(writer) => writer,
            none => none.insert(create(JSON_LINES)?),
        };
        let mut line = serde_json::to_vec(&bad).map_err(|error| error.to_string())?;
        line.push(b'\n');
        writer
            .write_all(&line)
            .map_err(|error| format!("can't write the quarantine: {error}"))?;
        self.quarantined += 1;
        self.first_bad.get_or_insert(bad);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), String> {
        let table: Table = self.batch.take();
        self.rows += table.rows as u64;
        for (sum, column) in self.nulls.iter_mut().zip(&table.columns) {
            *sum += nulls(column);
        }
        match &mut self.writer {
            Some(writer) => writer.write(&table),
            None => Ok(()),
        }
    }

    fn end(self, total: u64, max_quarantine: f64) -> Result<Ingested<W>, String> {
        let first = self
            .first_bad
            .as_ref()
            .map(BadRow::told)
            .unwrap_or_default();
        if self.quarantined as f64 > max_quarantine * total as f64 {
            return Err(format!(
                "{} of {total} rows do not fit, and max_quarantine {max_quarantine} allows {}: \
                 the first is {first}",
                self.quarantined,
                (max_quarantine * total as f64).floor(),
            ));
        }
        if self.rows == 0 {
            return Err(format!(
                "no rows are left: none of {total} fits, the first is {first}"
            ));
        }
        let columns = self
            .batch
            .fields()
            .iter()
            .zip(&self.nulls)
            .skip(1)
            .map(|(field, nulls)| SchemaColumn {
                name: &field.name,
                kind: field.kind,
                nulls: *nulls,
            })
            .collect();
        let schema = serde_json::to_vec(&Schema {
            format: 1,
            columns,
            rows: self.rows,
        })
        .map_err(|error| error.to_string())?;
        let writer = self
            .writer
            .ok_or_else(|| "the table was never begun".to_owned())?;
        Ok(Ingested {
            table: writer.finish()?,
            schema,
            quarantine: self.quarantine,
            rows: self.rows,
            columns: self.batch.fields().len() - 1,
            quarantined: self.quarantined,
            first_bad: self.first_bad,
        })
    }
}

fn nulls(column: &Column) -> u64 {
    column.nulls.len() as u64
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use septet_kit::table::Values;

    use super::*;

    fn run(csv: &[u8], max_quarantine: f64) -> Result<Ingested<Vec<u8>>, String> {
        let parameters = Parameters {
            max_quarantine,
            ..Parameters::default()
        };
        ingest(Cursor::new(csv), &parameters, |_| Ok(Vec::new()), |_, _| {})
    }

    fn table(csv: &str) -> Table {
        let ingested = run(csv.as_bytes(), 0.5).unwrap();
        arrow::read(Cursor::new(ingested.table)).unwrap()
    }

    #[test]
    fn a_table_keeps_lines_kinds_and_nulls() {
        let ingested = run(
            b"\xef\xbb\xbfspecies;mass;ok\r\nAdelie;3750;true\r\n\"Chin;strap\";NA;\r\n\r\nGentoo;4.5;false\r\n",
            0.0,
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(ingested.schema).unwrap(),
            r#"{"format":1,"columns":[{"name":"species","kind":"texts","nulls":0},{"name":"mass","kind":"floats","nulls":1},{"name":"ok","kind":"booleans","nulls":1}],"rows":3}"#
        );
        let table = arrow::read(Cursor::new(ingested.table)).unwrap();
        assert_eq!(table.columns[0].values, Values::Integers(vec![2, 3, 5]));
        assert_eq!(table.columns[1].label(1).unwrap(), "Chin;strap");
        assert_eq!(
            table.columns[2].values,
            Values::Floats(vec![3750.0, 0.0, 4.5])
        );
        assert_eq!(table.columns[2].nulls, [1]);
        assert!(ingested.quarantine.is_none());
    }

    #[test]
    fn rows_that_do_not_fit_are_set_apart() {
        let mut csv = "a,b\n".to_owned();
        csv.push_str(&"7,x\n".repeat(20));
        csv.push_str("oops,x\n1,2,3\n");
        let ingested = run(csv.as_bytes(), 0.1).unwrap();
        assert_eq!(
            (ingested.rows, ingested.quarantined, ingested.columns),
            (20, 2, 2)
        );
        let quarantine = String::from_utf8(ingested.quarantine.unwrap()).unwrap();
        assert_eq!(
            quarantine,
            "{\"row\":22,\"column\":\"a\",\"rule\":\"not-a-number\",\"raw\":\"oops\"}\n\
             {\"row\":23,\"column\":null,\"rule\":\"wrong-field-count\",\"raw\":\"1,2,3\"}\n"
        );
        assert_eq!(
            run(csv.as_bytes(), 0.05).err().unwrap(),
            "2 of 22 rows do not fit, and max_quarantine 0.05 allows 1: the first is row 22, \
             column 'a': not a number ('oops')"
        );
    }

    #[test]
    fn the_kind_is_found_over_the_whole_source() {
        let mut csv = "a\n".to_owned();
        for _ in 0..20_000 {
            csv.push_str("1\n");
        }
        csv.push_str("2.5\n");
        let table = table(&csv);
        assert_eq!(table.rows, 20_001);
        assert_eq!(table.columns[1].values.kind(), Kind::Floats);
    }

    #[test]
    fn sources_that_can_not_work_are_rejected_in_one_line() {
        for (csv, part) in [
            (b"".as_slice(), "the file is empty"),
            (b"a,b\n", "a header and no rows"),
            (b"a,a\n1,2\n", "comes twice"),
            (b"a,b\n1\n2\n", "2 of 2 rows do not fit"),
            (b"\xff\xfea\0\n\0", "UTF-16"),
            (b"a,b\n\"1,2\n", "never closed"),
            (
                b"a,b\ninf,1\n2,0\n3,1\n",
                "row 2, column 'a': not a finite number ('inf')",
            ),
        ] {
            let reason = run(csv, 0.1).err().unwrap();
            assert!(reason.contains(part), "{reason}");
            assert!(!reason.contains('\n'));
        }
        let reason = run(b"a,b\n1\n2\n", 1.0).err().unwrap();
        assert!(reason.contains("no rows are left"), "{reason}");
        let long = [b"a,b\n1,2\n".as_slice(), &vec![b'x'; 10 << 20]].concat();
        let reason = run(&long, 0.1).err().unwrap();
        assert!(
            reason.starts_with("row 3: the record is longer"),
            "{reason}"
        );
    }

    #[test]
    fn equal_sources_give_equal_bytes() {
        let csv = b"a,b\n1,x\n,y\n";
        assert_eq!(run(csv, 0.1).unwrap().table, run(csv, 0.1).unwrap().table);
        let crlf = b"a,b\r\n1,x\r\n,y\r\n";
        assert_eq!(run(csv, 0.1).unwrap().table, run(crlf, 0.1).unwrap().table);
    }

    #[test]
    fn progress_goes_over_both_passes() {
        let csv = format!("a\n{}", "1\n".repeat(10_000));
        let mut heard = Vec::new();
        ingest(
            Cursor::new(csv.as_bytes()),
            &Parameters::default(),
            |_| Ok(Vec::new()),
            |done, total| heard.push((done, total)),
        )
        .unwrap();
        let total = csv.len() as u64 * 2;
        assert!(heard.is_sorted());
        assert!(heard.len() >= 3);
        assert_eq!(heard.last(), Some(&(total, total)));
    }
}
