//! The whole of it: two passes over a source.

use std::io::{Read, Seek, SeekFrom, Write};

use septet_kit::{arrow::BATCH, schema::Schema};

use crate::{
    batch::Batch,
    door::{Door, HEAD, look},
    lines::Lines,
    output::{Ingested, Output},
    parameters::{Format, Parameters},
    parquet,
    quarantine::BadRow,
    rows::{CsvRows, Row, Rows},
    target::{Finder, Target},
};

/// Reads `source` twice and writes its table, and the rows that do not fit, to writers that
/// `create` gives for a media type. `schema` is one that the user declared. `progress` hears how
/// much of how much is done.
pub fn ingest<R: Read + Seek + Send + 'static, W: Write>(
    mut source: R,
    schema: Option<&Schema>,
    parameters: &Parameters,
    mut create: impl FnMut(&str) -> Result<W, String>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Ingested<W>, String> {
    parameters.check()?;
    let size = source.seek(SeekFrom::End(0)).map_err(unreadable)?;
    let door = at_the_door(&mut source, parameters)?;
    if door.format == Format::Parquet {
        return parquet::ingest(source, schema, parameters, &mut create, &mut progress);
    }

    let mut rows = open(&mut source, &door)?;
    let (targets, notes) = first_pass(&mut *rows, schema, parameters, &mut |done| {
        progress(done, size * 2);
    })?;
    drop(rows);

    let mut rows = open(&mut source, &door)?;
    let mut output = Output::new(&targets, &mut create)?;
    second_pass(&mut *rows, &targets, &mut output, &mut |done| {
        progress(size + done, size * 2);
    })?;
    progress(size * 2, size * 2);
    output.end(parameters.max_quarantine, notes)
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
    look(&head, parameters)
}

/// The rows from the first on.
fn open<'a, R: Read + Seek>(source: &'a mut R, door: &Door) -> Result<Box<dyn Rows + 'a>, String> {
    source
        .seek(SeekFrom::Start(door.skip))
        .map_err(unreadable)?;
    Ok(match door.format {
        Format::JsonLines => Box::new(Lines::new(source)),
        _ => Box::new(CsvRows::new(source, door.delimiter)?),
    })
}

/// Finds the columns of the table over all rows.
fn first_pass(
    rows: &mut dyn Rows,
    schema: Option<&Schema>,
    parameters: &Parameters,
    progress: &mut dyn FnMut(u64),
) -> Result<(Vec<Target>, Vec<String>), String> {
    let mut finder = Finder::new(schema);
    let mut total = 0_u64;
    let mut first_bad: Option<BadRow> = None;
    while let Some(row) = rows.next_row()? {
        total += 1;
        match row {
            Row::Whole(fields) => {
                finder.know(fields.names);
                finder.add(|column| fields.cell(column));
            }
            // A row that will be set apart for its form does not vote.
            Row::Bad(bad) => {
                first_bad.get_or_insert(bad);
            }
        }
        if total.is_multiple_of(BATCH as u64) {
            progress(rows.consumed());
        }
    }
    if total == 0 {
        return Err("the file has a header and no rows".to_owned());
    }
    finder.know(rows.names());
    if rows.names().is_empty() {
        return Err(match first_bad {
            Some(bad) => format!(
                "no rows are left: none of {total} fits, the first is {}",
                bad.told()
            ),
            None => "the objects have no keys, so there is no column".to_owned(),
        });
    }
    finder.targets(rows.names(), parameters.max_quarantine, |_| None)
}

/// Writes rows and sets apart those that do not fit.
fn second_pass<W: Write>(
    rows: &mut dyn Rows,
    targets: &[Target],
    output: &mut Output<'_, W>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), String> {
    let mut batch = Batch::new(targets);
    while let Some(row) = rows.next_row()? {
        match row {
            Row::Whole(fields) => {
                let pushed = batch.push(fields.line, |column| fields.cell(column));
                if let Err((number, rule)) = pushed {
                    let target = targets.get(number);
                    let raw = target
                        .and_then(|target| target.from)
                        .map(|column| fields.cell(column).bytes);
                    output.set_apart(BadRow::new(
                        fields.line,
                        target.map(|target| target.name.as_str()),
                        rule,
                        raw.into_iter(),
                        b',',
                    ))?;
                }
            }
            Row::Bad(bad) => output.set_apart(bad)?,
        }
        if batch.is_full() {
            output.write(&batch.take())?;
            progress(rows.consumed());
        }
    }
    output.write(&batch.take())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use septet_kit::{
        arrow,
        schema::SchemaKind,
        table::{Kind, Table, Values},
    };

    use super::*;

    fn run_with(
        source: &[u8],
        schema: Option<&Schema>,
        max_quarantine: f64,
    ) -> Result<Ingested<Vec<u8>>, String> {
        let parameters = Parameters {
            max_quarantine,
            ..Parameters::default()
        };
        let source = Cursor::new(source.to_vec());
        ingest(source, schema, &parameters, |_| Ok(Vec::new()), |_, _| {})
    }

    fn run(source: &[u8], max_quarantine: f64) -> Result<Ingested<Vec<u8>>, String> {
        run_with(source, None, max_quarantine)
    }

    fn read(ingested: &Ingested<Vec<u8>>) -> Table {
        let table = arrow::read(Cursor::new(&ingested.table)).unwrap();
        table.validate().unwrap();
        table
    }

    fn kinds(ingested: &Ingested<Vec<u8>>) -> Vec<SchemaKind> {
        let schema = Schema::parse(&ingested.schema).unwrap();
        schema.columns.iter().map(|column| column.kind).collect()
    }

    #[test]
    fn a_table_keeps_lines_kinds_and_nulls() {
        let ingested = run(
            b"\xef\xbb\xbfspecies;mass;ok;when;zip;none\r\n\
              Adelie;3750;true;2024-01-31;02134;\r\n\
              \"Chin;strap\";NA;;2024-01-31 12:00:00;94103;?\r\n\r\n\
              Adelie;4.5;false;;10001;NA\r\n\
              Adelie;4.5;false;;10002;NA\r\n",
            0.0,
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(ingested.schema.clone()).unwrap(),
            r#"{"format":1,"columns":[{"name":"species","kind":"category","nulls":0},{"name":"mass","kind":"float","nulls":1},{"name":"ok","kind":"boolean","nulls":1},{"name":"when","kind":"timestamp","nulls":2},{"name":"zip","kind":"text","nulls":0},{"name":"none","kind":"null","nulls":4}],"rows":4}"#
        );
        let table = read(&ingested);
        assert_eq!(table.columns[0].values, Values::Integers(vec![2, 3, 5, 6]));
        assert_eq!(
            table.columns[1].values,
            Values::Categories {
                dictionary: vec!["Adelie".to_owned(), "Chin;strap".to_owned()],
                codes: vec![0, 1, 0, 0]
            }
        );
        assert_eq!(
            table.columns[2].values,
            Values::Floats(vec![3750.0, 0.0, 4.5, 4.5])
        );
        assert_eq!(table.columns[2].nulls, [1]);
        assert_eq!(
            table.columns[4].label(1).unwrap(),
            "2024-01-31T12:00:00.000000Z"
        );
        assert_eq!(table.columns[5].label(0).unwrap(), "02134");
        assert_eq!(table.columns[6].values.kind(), Kind::Texts);
        assert_eq!(table.columns[6].nulls, [0, 1, 2, 3]);
        assert!(ingested.quarantine.is_none() && ingested.notes.is_empty());
    }

    #[test]
    fn json_lines_become_the_same_table_as_csv() {
        let csv = run(b"n,x,t\n1,0.5,a\n2,,a\n3,1e3,b\n4,1,b\n", 0.0).unwrap();
        let lines = run(
            b"\n{\"n\":1,\"x\":0.5,\"t\":\"a\"}\n{\"n\":2,\"t\":\"a\"}\n\
              {\"t\":\"b\",\"x\":1e3,\"n\":3}\n{\"n\":4,\"x\":1,\"t\":\"b\"}",
            0.0,
        )
        .unwrap();
        assert_eq!(csv.schema, lines.schema);
        assert_eq!(csv.table, lines.table);
        let texts = run(
            b"{\"zip\":\"2134\",\"w\":\"2024-01-31T00:00:00Z\",\"na\":\"NA\",\"late\":null}\n\
              {\"zip\":\"2135\",\"w\":\"2024-02-01\",\"na\":\"NA\",\"late\":1}\n",
            0.0,
        )
        .unwrap();
        assert_eq!(
            kinds(&texts),
            [
                SchemaKind::Text,
                SchemaKind::Timestamp,
                SchemaKind::Category,
                SchemaKind::Integer
            ]
        );
        assert_eq!(read(&texts).columns[3].nulls, Vec::<u32>::new());
    }

    #[test]
    fn lines_that_do_not_fit_are_set_apart() {
        let mut json = "{\"a\":1,\"b\":\"x\"}\n".repeat(30);
        json.push_str("{\"a\":\"oops\",\"b\":\"x\"}\n{\"a\":1,\"b\":[2]}\nnothing\n");
        let ingested = run(json.as_bytes(), 0.1).unwrap();
        assert_eq!(
            String::from_utf8(ingested.quarantine.unwrap()).unwrap(),
            "{\"row\":31,\"column\":\"a\",\"rule\":\"not-a-number\",\"raw\":\"oops\"}\n\
             {\"row\":32,\"column\":\"b\",\"rule\":\"nested\",\"raw\":\"{\\\"a\\\":1,\\\"b\\\":[2]}\"}\n\
             {\"row\":33,\"column\":null,\"rule\":\"not-an-object\",\"raw\":\"nothing\"}\n"
        );
        let reason = run(b"{\n\"a\": 1\n}\n", 1.0).err().unwrap();
        assert!(reason.contains("not a JSON object on one line"), "{reason}");
        assert!(run(b"{}\n", 0.0).err().unwrap().contains("no keys"));
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
        assert_eq!(ingested.duplicates, 19);
        assert_eq!(
            ingested.notes,
            [
                "2 of 22 rows do not fit and were set apart: the first is row 22, column 'a': not \
                 a number ('oops')",
                "19 of 20 rows are exact copies of a row before them; they are kept, and no split \
                 parts a row from its copies"
            ]
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
        let mut csv = "a,c\n".to_owned();
        for row in 0..20_000 {
            csv.push_str(["1,x\n", "1,y\n"][row % 2]);
        }
        csv.push_str("2.5,a\n");
        let ingested = run(csv.as_bytes(), 0.5).unwrap();
        assert_eq!(kinds(&ingested), [SchemaKind::Float, SchemaKind::Category]);
        // One dictionary for all batches, the last row's text included.
        let mut reader = arrow::Reader::open(Cursor::new(&ingested.table)).unwrap();
        let mut batches = 0;
        while let Some(table) = reader.next_table().unwrap() {
            let Values::Categories { dictionary, .. } = &table.columns[2].values else {
                panic!();
            };
            assert_eq!(dictionary, &["a", "x", "y"]);
            batches += 1;
        }
        assert_eq!(batches, 3);
        assert_eq!(read(&ingested).rows, 20_001);
    }

    #[test]
    fn a_declared_schema_is_obeyed() {
        let schema = |columns: &str| {
            let json = format!(r#"{{"format":1,"declared":true,"columns":[{columns}]}}"#);
            Schema::parse(json.as_bytes()).unwrap()
        };
        let declared = schema(
            r#"{"name":"c","kind":"category"},{"name":"zip","kind":"integer"},{"name":"x","kind":"float","optional":true}"#,
        );
        let csv = b"zip,extra,c\n007,1,b\nmany,2,a\n8,3,b\n";
        let ingested = run_with(csv, Some(&declared), 0.5).unwrap();
        let table = read(&ingested);
        let names: Vec<_> = table.columns.iter().map(|column| &*column.name).collect();
        assert_eq!(names, ["septet:row", "c", "zip", "x"]);
        assert_eq!(table.columns[2].values, Values::Integers(vec![7, 8]));
        assert_eq!(table.columns[3].nulls, [0, 1]);
        assert_eq!(
            kinds(&ingested),
            [SchemaKind::Category, SchemaKind::Integer, SchemaKind::Float]
        );
        assert_eq!(
            ingested.notes[..2],
            [
                "left out, as the declared schema does not name them: 'extra'",
                "not in the source, so without a value in any row: 'x'"
            ]
        );
        assert_eq!(ingested.quarantined, 1);
        let json = b"{\"zip\":\"12\",\"c\":\"b\"}\n{\"zip\":13,\"c\":4}\n";
        let table = read(&run_with(json, Some(&declared), 0.0).unwrap());
        assert_eq!(table.columns[2].values, Values::Integers(vec![12, 13]));
        assert_eq!(table.columns[1].label(1).unwrap(), "4");

        let needed = schema(r#"{"name":"y","kind":"float"}"#);
        let reason = run_with(csv, Some(&needed), 0.5).err().unwrap();
        assert!(reason.contains("no column of the declared schema, such as 'y'"));
        let needed = schema(r#"{"name":"y","kind":"float"},{"name":"zip","kind":"text"}"#);
        let ingested = run_with(csv, Some(&needed), 0.5).unwrap();
        assert_eq!(kinds(&ingested), [SchemaKind::Text]);
        assert!(ingested.notes[1].contains("not in the source: 'y'; add them"));
        let none = schema(r#"{"name":"zip","kind":"null"}"#);
        let reason = run_with(csv, Some(&none), 0.5).err().unwrap();
        assert!(reason.contains("a value where none is declared"));
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
        let total = csv.len() as u64 * 2;
        let mut heard = Vec::new();
        ingest(
            Cursor::new(csv.into_bytes()),
            None,
            &Parameters::default(),
            |_| Ok(Vec::new()),
            |done, total| heard.push((done, total)),
        )
        .unwrap();
        assert!(heard.is_sorted());
        assert!(heard.len() >= 3);
        assert_eq!(heard.last(), Some(&(total, total)));
    }
}
