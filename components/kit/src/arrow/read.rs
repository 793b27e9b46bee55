//! An Arrow IPC file to tables.
//!
//! More types are read than are written, because users bring files of other tools: narrower
//! numbers widen, every time unit becomes microseconds. Others are rejected by name.

use std::io::{Read, Seek, SeekFrom};

use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::FileReader;
use arrow_schema::ArrowError;

use super::{
    BATCH, MAX_COLUMNS,
    values::{kind, values},
};
use crate::table::{Column, Field, Table};

/// The magic bytes and the footer's length at the end of a file.
const TAIL: u64 = 10;

/// Reads an Arrow IPC file in batches of at most [`BATCH`] rows.
pub struct Reader<R> {
    inner: FileReader<R>,
    fields: Vec<Field>,
    current: Option<RecordBatch>,
    at: usize,
}

impl<R: Read + Seek> Reader<R> {
    /// Opens a file and checks its columns.
    pub fn open(mut reader: R) -> Result<Self, String> {
        check_footer(&mut reader)?;
        let inner = FileReader::try_new(reader, None).map_err(told)?;
        let schema = inner.schema();
        if schema.fields().len() > MAX_COLUMNS {
            return Err(format!(
                "the table has {} columns: at most {MAX_COLUMNS} are taken",
                schema.fields().len()
            ));
        }
        let fields = schema
            .fields()
            .iter()
            .map(|field| {
                Ok(Field {
                    name: field.name().clone(),
                    kind: kind(field.data_type()).ok_or_else(|| {
                        format!(
                            "column '{}' has Arrow's type {}, which is not supported: cast it to \
                             numbers, texts, booleans or timestamps",
                            field.name(),
                            field.data_type()
                        )
                    })?,
                })
            })
            .collect::<Result<Vec<_>, String>>()?;
        Table::empty(&fields).validate()?;
        Ok(Self {
            inner,
            fields,
            current: None,
            at: 0,
        })
    }

    /// Names and kinds of the columns.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The next rows; none at the end.
    pub fn next_table(&mut self) -> Result<Option<Table>, String> {
        loop {
            let batch = match self.current.take() {
                Some(batch) => batch,
                None => match self.inner.next() {
                    Some(batch) => {
                        self.at = 0;
                        batch.map_err(told)?
                    }
                    None => return Ok(None),
                },
            };
            let rows = batch.num_rows().saturating_sub(self.at).min(BATCH);
            if rows == 0 {
                continue;
            }
            let table = to_table(&batch.slice(self.at, rows), &self.fields)?;
            self.at += rows;
            self.current = Some(batch);
            return Ok(Some(table));
        }
    }
}

impl<R: Read + Seek> Iterator for Reader<R> {
    type Item = Result<Table, String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_table().transpose()
    }
}

/// A whole file as one table.
pub fn read<R: Read + Seek>(reader: R) -> Result<Table, String> {
    let mut reader = Reader::open(reader)?;
    let mut table = Table::empty(reader.fields());
    while let Some(batch) = reader.next_table()? {
        table.append(batch)?;
    }
    Ok(table)
}

fn told(error: ArrowError) -> String {
    match error {
        ArrowError::IoError(_, error) => format!("can't read the table: {error}"),
        error => format!("not a usable Arrow IPC file: {error}"),
    }
}

/// Checks that all the file says of its own lengths lies in the file, before the Arrow crate
/// reserves memory for it.
fn check_footer<R: Read + Seek>(reader: &mut R) -> Result<(), String> {
    let io = |error: std::io::Error| format!("can't read the table: {error}");
    let broken = || "not a usable Arrow IPC file: it is cut off or damaged".to_owned();
    let size = reader.seek(SeekFrom::End(0)).map_err(io)?;
    let mut magic = [0; 6];
    let mut length = [0; 4];
    if size >= TAIL {
        reader.seek(SeekFrom::Start(size - TAIL)).map_err(io)?;
        reader.read_exact(&mut length).map_err(io)?;
        reader.read_exact(&mut magic).map_err(io)?;
    }
    if &magic != b"ARROW1" {
        return Err("not an Arrow IPC file, or it is cut off".to_owned());
    }
    let length = u32::from_le_bytes(length);
    let start = size
        .checked_sub(TAIL + u64::from(length))
        .ok_or_else(broken)?;
    let mut footer = vec![0; length as usize];
    reader.seek(SeekFrom::Start(start)).map_err(io)?;
    reader.read_exact(&mut footer).map_err(io)?;
    let footer = arrow_ipc::root_as_footer(&footer).map_err(|_| broken())?;
    let blocks = footer
        .recordBatches()
        .into_iter()
        .chain(footer.dictionaries())
        .flatten();
    for block in blocks {
        let fits = u64::try_from(block.offset())
            .ok()
            .and_then(|at| at.checked_add(u64::try_from(block.metaDataLength()).ok()?))
            .and_then(|at| at.checked_add(u64::try_from(block.bodyLength()).ok()?))
            .is_some_and(|end| end <= start);
        if !fits || block.metaDataLength() < 4 {
            return Err(broken());
        }
    }
    reader.rewind().map_err(io)
}

fn to_table(batch: &RecordBatch, fields: &[Field]) -> Result<Table, String> {
    let columns = batch
        .columns()
        .iter()
        .zip(fields)
        .map(|(array, field)| {
            Ok(Column {
                name: field.name.clone(),
                values: values(array).ok_or_else(|| {
                    format!(
                        "column '{}' can't be read: {}",
                        field.name,
                        array.data_type()
                    )
                })?,
                nulls: (0..)
                    .zip(0..array.len())
                    .filter(|(_, row)| array.is_null(*row))
                    .map(|(number, _)| number)
                    .collect(),
            })
        })
        .collect::<Result<_, String>>()?;
    Ok(Table {
        rows: batch.num_rows(),
        columns,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        arrow::{Writer, write},
        table::Values,
    };

    fn column(name: &str, values: Values, nulls: &[u32]) -> Column {
        Column {
            name: name.to_owned(),
            values,
            nulls: nulls.to_vec(),
        }
    }

    fn every_kind() -> Table {
        let texts = |texts: [&str; 3]| texts.map(ToOwned::to_owned).to_vec();
        Table {
            rows: 3,
            columns: vec![
                column("f", Values::Floats(vec![0.1, 0.0, -2.5]), &[1]),
                column("i", Values::Integers(vec![i64::MIN, 1, 0]), &[2]),
                column("b", Values::Booleans(vec![true, false, true]), &[]),
                column("t", Values::Texts(texts(["", "é", ""])), &[0]),
                column(
                    "c",
                    Values::Categories {
                        dictionary: texts(["x", "y", "z"]),
                        codes: vec![2, 0, 0],
                    },
                    &[1],
                ),
                column("w", Values::Timestamps(vec![1, -1, 0]), &[]),
            ],
        }
    }

    #[test]
    fn every_kind_comes_back() {
        let table = every_kind();
        let bytes = write(Vec::new(), &table).unwrap();
        assert_eq!(read(Cursor::new(&bytes)).unwrap(), table);
    }

    #[test]
    fn what_a_null_slot_holds_does_not_count() {
        let mut other = every_kind();
        other.columns[0].values = Values::Floats(vec![0.1, f64::INFINITY, -2.5]);
        if let Values::Categories { codes, .. } = &mut other.columns[4].values {
            codes[1] = 77;
        }
        assert_eq!(
            write(Vec::new(), &other).unwrap(),
            write(Vec::new(), &every_kind()).unwrap()
        );
    }

    #[test]
    fn no_rows_and_many_rows() {
        let fields = every_kind().fields();
        let bytes = write(Vec::new(), &Table::empty(&fields)).unwrap();
        let empty = read(Cursor::new(&bytes)).unwrap();
        assert_eq!((empty.rows, empty.fields()), (0, fields));

        let rows = 2 * BATCH + 5;
        let long = Table {
            rows,
            columns: vec![column(
                "i",
                Values::Integers((0..rows as i64).collect()),
                &[9_000],
            )],
        };
        let bytes = write(Vec::new(), &long).unwrap();
        let mut lengths = Vec::new();
        for batch in Reader::open(Cursor::new(&bytes)).unwrap() {
            lengths.push(batch.unwrap().rows);
        }
        assert_eq!(lengths, [BATCH, BATCH, 5]);
        let back = read(Cursor::new(&bytes)).unwrap();
        assert_eq!(back.columns[0].nulls, [9_000]);
        assert_eq!(back.rows, rows);
    }

    #[test]
    fn types_of_other_tools_are_read() {
        use std::sync::Arc;

        use arrow_array::{
            ArrayRef, DictionaryArray, Float32Array, Int8Array, LargeStringArray, StringViewArray,
            Time32SecondArray, TimestampNanosecondArray, UInt32Array, types::Int8Type,
        };
        use arrow_ipc::writer::FileWriter;

        fn file(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
            let batch = RecordBatch::try_from_iter(columns).unwrap();
            let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
            writer.write(&batch).unwrap();
            writer.into_inner().unwrap()
        }

        let dictionary: DictionaryArray<Int8Type> =
            [Some("y"), None, Some("x")].into_iter().collect();
        let bytes = file(vec![
            (
                "i",
                Arc::new(Int8Array::from(vec![Some(-1), None, Some(3)])),
            ),
            ("u", Arc::new(UInt32Array::from(vec![1, 2, u32::MAX]))),
            ("f", Arc::new(Float32Array::from(vec![0.5, 1.5, 2.5]))),
            ("l", Arc::new(LargeStringArray::from(vec!["a", "b", "c"]))),
            ("v", Arc::new(StringViewArray::from(vec!["a", "b", "c"]))),
            ("d", Arc::new(dictionary)),
            (
                "n",
                Arc::new(TimestampNanosecondArray::from(vec![1_999, -1, 0])),
            ),
        ]);
        let table = read(Cursor::new(bytes)).unwrap();
        table.validate().unwrap();
        let labels: Vec<_> = table.columns.iter().map(|column| column.label(0)).collect();
        let expected = [
            "-1",
            "1",
            "0.5",
            "a",
            "a",
            "y",
            "1970-01-01T00:00:00.000001Z",
        ];
        assert_eq!(labels, expected.map(|text| Some(text.to_owned())));
        assert_eq!(table.columns[0].nulls, [1]);
        assert_eq!(table.columns[5].nulls, [1]);

        let other = file(vec![("t", Arc::new(Time32SecondArray::from(vec![1])))]);
        let reason = read(Cursor::new(other)).unwrap_err();
        assert!(
            reason.contains("column 't' has Arrow's type Time32"),
            "{reason}"
        );
    }

    #[test]
    fn other_columns_than_begun_with_are_refused() {
        let mut writer = Writer::new(Vec::new(), every_kind().fields()).unwrap();
        assert!(writer.write(&Table::default()).is_err());
    }

    #[test]
    fn damage_is_told_and_never_panics() {
        assert!(read(Cursor::new(b"")).unwrap_err().contains("not an Arrow"));
        assert!(read(Cursor::new(b"a,b\n1,2\n3,4\n")).is_err());
        let bytes = write(Vec::new(), &every_kind()).unwrap();
        for end in 0..bytes.len() {
            assert!(read(Cursor::new(&bytes[..end])).is_err());
        }
        let mut huge = bytes.clone();
        let at = huge.len() - 10;
        huge[at..at + 4].copy_from_slice(&i32::MAX.to_le_bytes());
        assert!(read(Cursor::new(&huge)).unwrap_err().contains("damaged"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_table_comes_back(
            rows in proptest::collection::vec(
                (any::<f64>(), any::<i64>(), ".{0,8}", 0_u32..3, proptest::bits::u8::ANY),
                0..40,
            ),
        ) {
            let nulls = |bit: u8| -> Vec<u32> {
                (0..)
                    .zip(&rows)
                    .filter(|(_, row)| row.4 & (1 << bit) != 0)
                    .map(|(number, _)| number)
                    .collect()
            };
            let dictionary = vec!["a".to_owned(), "b".to_owned(), String::new()];
            let codes = rows.iter().map(|row| row.3).collect();
            let table = Table {
                rows: rows.len(),
                columns: vec![
                    column("f", Values::Floats(rows.iter().map(|row| row.0).collect()), &nulls(0)),
                    column("i", Values::Integers(rows.iter().map(|row| row.1).collect()), &nulls(1)),
                    column("t", Values::Texts(rows.iter().map(|row| row.2.clone()).collect()), &nulls(2)),
                    column("c", Values::Categories { dictionary, codes }, &nulls(3)),
                ],
            };
            let once = write(Vec::new(), &table).unwrap();
            let back = read(Cursor::new(&once)).unwrap();
            back.validate().unwrap();
            for (before, after) in table.columns.iter().zip(&back.columns) {
                prop_assert_eq!(&before.nulls, &after.nulls);
                for row in 0..table.rows {
                    prop_assert_eq!(before.label(row), after.label(row));
                }
            }
            prop_assert_eq!(once, write(Vec::new(), &back).unwrap());
        }
    }
}
