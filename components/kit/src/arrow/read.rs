//! An Arrow IPC file to tables.
//!
//! More types are read than are written, because users bring files of other tools: narrower
//! numbers widen, every time unit becomes microseconds. Others are rejected by name.

use std::io::{Read, Seek};

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ipc::{Block, reader::FileReader};

use super::{
    BATCH,
    check::{check_block, check_footer, told},
    values::values,
};
use crate::table::{Column, Field, Table, Values};

/// Reads an Arrow IPC file in batches of at most [`BATCH`] rows.
pub struct Reader<R> {
    inner: FileReader<R>,
    fields: Vec<Field>,
    /// Those that `inner` has not decoded.
    blocks: std::vec::IntoIter<Block>,
    current: Option<RecordBatch>,
    at: usize,
}

impl<R: Read + Seek> Reader<R> {
    /// Opens a file and checks its columns.
    pub fn open(mut reader: R) -> Result<Self, String> {
        let (fields, blocks) = check_footer(&mut reader)?;
        let inner = FileReader::try_new(reader, None).map_err(told)?;
        Ok(Self {
            inner,
            fields,
            blocks: blocks.into_iter(),
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
                None => match self.next_batch()? {
                    Some(batch) => {
                        self.at = 0;
                        batch
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

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, String> {
        let Some(block) = self.blocks.next() else {
            return Ok(None);
        };
        let batch = check_block(self.inner.get_mut(), &block)
            .and_then(|()| self.inner.next().transpose().map_err(told));
        if batch.is_err() {
            // The Arrow crate may still be before this block, so no other may be checked for it.
            self.blocks = Vec::new().into_iter();
        }
        batch
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

fn to_table(batch: &RecordBatch, fields: &[Field]) -> Result<Table, String> {
    let columns = batch
        .columns()
        .iter()
        .zip(fields)
        .map(|(array, field)| to_column(&field.name, array))
        .collect::<Result<_, String>>()?;
    Ok(Table {
        rows: batch.num_rows(),
        columns,
    })
}

/// An array of a type that has a [`kind`](super::kind) as a column.
pub fn to_column(name: &str, array: &ArrayRef) -> Result<Column, String> {
    with_nulls(name, array, values(array))
}

/// An array whose values were read, none where they can't be, as a column.
pub fn with_nulls(name: &str, array: &ArrayRef, values: Option<Values>) -> Result<Column, String> {
    Ok(Column {
        name: name.to_owned(),
        values: values
            .ok_or_else(|| format!("column '{name}' can't be read: {}", array.data_type()))?,
        // Of a dictionary, a row is null where its key or the key's value is.
        nulls: array.logical_nulls().map_or_else(Vec::new, |nulls| {
            (0..)
                .zip(nulls.iter())
                .filter(|(_, valid)| !valid)
                .map(|(number, _)| number)
                .collect()
        }),
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
            DictionaryArray, Float32Array, Int8Array, LargeStringArray, StringViewArray,
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

    #[test]
    fn a_flipped_byte_never_panics() {
        let bytes = write(Vec::new(), &every_kind()).unwrap();
        let mut told = 0;
        for at in (0..bytes.len()).step_by(7) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0xff;
            told += usize::from(read(Cursor::new(&flipped)).is_err());
        }
        assert!(told > 0);
    }

    #[test]
    fn a_null_among_the_values_of_a_dictionary_is_a_null() {
        use std::sync::Arc;

        use arrow_array::{DictionaryArray, Int8Array, StringArray, types::Int8Type};
        use arrow_ipc::writer::FileWriter;

        let keys = Int8Array::from(vec![Some(0), Some(1), None, Some(0)]);
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
        let array: ArrayRef = Arc::new(DictionaryArray::<Int8Type>::try_new(keys, texts).unwrap());
        let batch = RecordBatch::try_from_iter(vec![("d", array)]).unwrap();
        let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        let table = read(Cursor::new(writer.into_inner().unwrap())).unwrap();
        table.validate().unwrap();
        assert_eq!(table.columns[0].nulls, [1, 2]);
        assert_eq!(table.columns[0].label(3).unwrap(), "a");
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
