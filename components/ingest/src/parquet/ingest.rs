//! The two passes over a Parquet file.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{Read, Seek, Write},
};

use arrow_array::RecordBatch;
use parquet::arrow::{
    ProjectionMask, arrow_reader::ParquetRecordBatchReader, parquet_to_arrow_field_levels,
};
use septet_kit::{
    arrow::BATCH,
    schema::{Schema, SchemaKind},
    table::{Column, ROW, Table, Values},
};

use super::{
    arrays,
    file::File,
    footer::{Footer, open, told},
    pages::Groups,
};
use crate::{
    fill::{fill, push_null},
    output::{Ingested, Output},
    parameters::Parameters,
    quarantine::{BadRow, Rule},
    target::{Finder, Target},
    value::{Cell, Class},
};

/// Values of a batch at most, so that a wide file does not need more memory than a long one.
const CELLS: usize = 4 << 20;

/// Reads a Parquet file as [`crate::passes::ingest`] does; `progress` hears rows.
pub fn ingest<R: Read + Seek + Send + 'static, W: Write>(
    source: R,
    schema: Option<&Schema>,
    parameters: &Parameters,
    create: &mut dyn FnMut(&str) -> Result<W, String>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Ingested<W>, String> {
    let file = File::new(source).map_err(|error| format!("can't read the source: {error}"))?;
    let footer = open(&file)?;
    let total = footer.rows;
    let names: Vec<String> = footer
        .fields
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let mut finder = Finder::new(schema);
    finder.know(&names);
    let mut natives = vec![Native::default(); names.len()];
    let mut done = 0;
    for batch in reader(&file, &footer)? {
        let batch = Rows::new(batch.map_err(|error| unreadable(&error))?, &names)?;
        for (number, (column, native)) in batch.columns.iter().zip(&mut natives).enumerate() {
            native.add(column);
            if matches!(column.values, Values::Texts(_) | Values::Categories { .. }) {
                for row in 0..batch.rows {
                    if !batch.is_not_utf8(number, row as u32) {
                        finder.add_cell(number, |_| text_cell(column.text(row)));
                    }
                }
            } else if schema.is_some() && finder.wants(number) {
                // Numbers may be declared to be a category.
                for row in 0..batch.rows {
                    let label = column.label(row);
                    finder.add_cell(number, |_| text_cell(label.as_deref()));
                }
            }
        }
        done += batch.rows as u64;
        progress(done, total * 2);
    }
    let (targets, notes) = finder.targets(&names, parameters.max_quarantine, |number| {
        natives.get(number).and_then(|native| native.kind())
    })?;

    let mut output = Output::new(&targets, create)?;
    let mut done = 0;
    for batch in reader(&file, &footer)? {
        let batch = Rows::new(batch.map_err(|error| unreadable(&error))?, &names)?;
        let rows = batch.rows;
        let (table, bad) = batch.read(&targets, done as i64)?;
        for bad in bad {
            output.set_apart(bad)?;
        }
        output.write(&table)?;
        done += rows as u64;
        progress(total + done, total * 2);
    }
    output.end(parameters.max_quarantine, notes)
}

fn reader<R: Read + Seek + Send + 'static>(
    file: &File<R>,
    footer: &Footer,
) -> Result<ParquetRecordBatchReader, String> {
    let levels = parquet_to_arrow_field_levels(
        footer.metadata.file_metadata().schema_descr(),
        ProjectionMask::all(),
        Some(&footer.fields),
    )
    .map_err(told)?;
    let rows = BATCH.min(CELLS / footer.fields.len().max(1));
    let groups = Groups::new(file, &footer.metadata);
    ParquetRecordBatchReader::try_new_with_row_groups(&levels, &groups, rows, None).map_err(told)
}

fn unreadable(error: &arrow_schema::ArrowError) -> String {
    let error = error.to_string();
    let error = error
        .strip_prefix("Parquet argument error: ")
        .unwrap_or(&error);
    format!(
        "can't read the file as Parquet: {}",
        septet_kit::show::shown(error, 300)
    )
}

fn text_cell(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::NULL, |text| Cell {
        class: Class::Text,
        bytes: text.as_bytes(),
    })
}

/// What the file says of a column.
#[derive(Clone, Copy, Default)]
struct Native {
    kind: Option<SchemaKind>,
    has_values: bool,
}

impl Native {
    fn add(&mut self, column: &Column) {
        self.has_values |= column.nulls.len() < column.values.len();
        let kind = match column.values {
            Values::Floats(_) => SchemaKind::Float,
            Values::Integers(_) => SchemaKind::Integer,
            Values::Booleans(_) => SchemaKind::Boolean,
            Values::Timestamps(_) => SchemaKind::Timestamp,
            Values::Texts(_) | Values::Categories { .. } => SchemaKind::Text,
        };
        // Some batches of unsigned numbers may be floats.
        if self.kind != Some(SchemaKind::Float) {
            self.kind = Some(kind);
        }
    }

    /// The kind, unless the texts are to be looked at.
    fn kind(self) -> Option<SchemaKind> {
        if !self.has_values {
            return Some(SchemaKind::Null);
        }
        self.kind.filter(|kind| *kind != SchemaKind::Text)
    }
}

/// Some rows of the file, as it has them.
struct Rows {
    rows: usize,
    columns: Vec<Column>,
    /// By column and row.
    not_utf8: Vec<Vec<u32>>,
}

impl Rows {
    fn new(batch: RecordBatch, names: &[String]) -> Result<Self, String> {
        let mut not_utf8 = Vec::with_capacity(names.len());
        let mut columns = Vec::with_capacity(names.len());
        for (array, name) in batch.columns().iter().zip(names) {
            let mut rows = Vec::new();
            let mut column = arrays::column(name, array, &mut rows)?;
            forget_nans(&mut column);
            columns.push(column);
            not_utf8.push(rows);
        }
        Ok(Self {
            rows: batch.num_rows(),
            columns,
            not_utf8,
        })
    }

    fn is_not_utf8(&self, column: usize, row: u32) -> bool {
        self.not_utf8
            .get(column)
            .is_some_and(|rows| rows.binary_search(&row).is_ok())
    }

    /// The rows as the table has them, after `before` others, and those that do not fit.
    fn read(&self, targets: &[Target], before: i64) -> Result<(Table, Vec<BadRow>), String> {
        let rows = self.rows as i64;
        let mut columns = vec![Column {
            name: ROW.to_owned(),
            values: Values::Integers((before + 1..=before + rows).collect()),
            nulls: Vec::new(),
        }];
        let mut bad: BTreeMap<u32, BadRow> = BTreeMap::new();
        for target in targets {
            let mut misfit = |row: u32, rule, raw: Cow<'_, str>| {
                bad.entry(row).or_insert_with(|| {
                    BadRow::new(
                        before + 1 + i64::from(row),
                        Some(&target.name),
                        rule,
                        std::iter::once(raw.as_bytes()),
                        b',',
                    )
                });
            };
            columns.push(match target.from {
                Some(number) => self.read_column(number, target, &mut misfit)?,
                None => {
                    let mut column = blank(target);
                    for row in 0..self.rows as u32 {
                        push_null(&mut column, row);
                    }
                    column
                }
            });
        }
        let table = Table {
            rows: self.rows,
            columns,
        };
        let table = if bad.is_empty() {
            table
        } else {
            let good: Vec<u32> = (0..self.rows as u32)
                .filter(|row| !bad.contains_key(row))
                .collect();
            table.take(&good)
        };
        Ok((table, bad.into_values().collect()))
    }

    fn read_column(
        &self,
        number: usize,
        target: &Target,
        misfit: &mut dyn FnMut(u32, Rule, Cow<'_, str>),
    ) -> Result<Column, String> {
        let column = self
            .columns
            .get(number)
            .ok_or_else(|| format!("column {number} is not in the file"))?;
        let values = match (&column.values, target.kind) {
            (Values::Floats(values), SchemaKind::Float) => {
                for (row, value) in (0..).zip(values) {
                    if !value.is_finite() {
                        misfit(row, Rule::NotFinite, Cow::Owned(value.to_string()));
                    }
                }
                Values::Floats(values.clone())
            }
            (Values::Integers(values), SchemaKind::Float) => {
                Values::Floats(values.iter().map(|value| *value as f64).collect())
            }
            (Values::Integers(_), SchemaKind::Integer)
            | (Values::Booleans(_), SchemaKind::Boolean)
            | (Values::Timestamps(_), SchemaKind::Timestamp) => column.values.clone(),
            _ => return Ok(self.spell_column(number, column, target, misfit)),
        };
        Ok(Column {
            name: target.name.clone(),
            values,
            nulls: column.nulls.clone(),
        })
    }

    /// A column of another kind than the file's, by the text of each value.
    fn spell_column(
        &self,
        number: usize,
        column: &Column,
        target: &Target,
        misfit: &mut dyn FnMut(u32, Rule, Cow<'_, str>),
    ) -> Column {
        let class = match column.values {
            Values::Floats(_) | Values::Integers(_) => Class::Number,
            Values::Booleans(_) => Class::Boolean,
            Values::Texts(_) | Values::Categories { .. } | Values::Timestamps(_) => Class::Text,
        };
        let mut read = blank(target);
        for row in 0..self.rows {
            let text = match &column.values {
                Values::Texts(_) | Values::Categories { .. } => column.text(row).map(Cow::Borrowed),
                _ => column.label(row).map(Cow::Owned),
            };
            let row = row as u32;
            let Some(text) = text else {
                push_null(&mut read, row);
                continue;
            };
            let cell = Cell {
                class,
                bytes: text.as_bytes(),
            };
            let filled = if self.is_not_utf8(number, row) {
                Err(Rule::NotUtf8)
            } else {
                fill(&mut read, target, cell, row)
            };
            if let Err(rule) = filled {
                push_null(&mut read, row);
                misfit(row, rule, text);
            }
        }
        read
    }
}

fn blank(target: &Target) -> Column {
    let mut values = target.table_kind().empty();
    if let (Values::Categories { dictionary, .. }, Some(categories)) =
        (&mut values, &target.categories)
    {
        *dictionary = categories.texts().to_vec();
    }
    Column {
        name: target.name.clone(),
        values,
        nulls: Vec::new(),
    }
}

/// A NaN is how a column of floats says that there is no value.
fn forget_nans(column: &mut Column) {
    let Values::Floats(values) = &mut column.values else {
        return;
    };
    if !values.iter().any(|value| value.is_nan()) {
        return;
    }
    let mut nulls = column.nulls.iter().copied().peekable();
    let mut all = Vec::with_capacity(column.nulls.len() + 1);
    for (row, value) in (0..).zip(values) {
        if nulls.next_if_eq(&row).is_some() || value.is_nan() {
            *value = 0.0;
            all.push(row);
        }
    }
    column.nulls = all;
}

#[cfg(test)]
mod tests {
    use std::{io::Cursor, sync::Arc};

    use arrow_array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
        Float32Array, Float64Array, Int32Array, ListArray, StringArray, Time32SecondArray,
        TimestampMillisecondArray, UInt64Array,
        types::{Int8Type, Int32Type},
    };
    use parquet::{
        arrow::ArrowWriter,
        basic::{Compression, ZstdLevel},
        file::properties::WriterProperties,
    };
    use septet_kit::arrow;

    use super::*;
    use crate::passes;

    fn file(columns: Vec<(&str, ArrayRef)>, compression: Compression) -> Vec<u8> {
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, array)| (name, array, true)),
        )
        .unwrap();
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_row_count(Some(5_000))
            .build();
        let mut bytes = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        bytes
    }

    fn run_with(
        bytes: Vec<u8>,
        schema: Option<&Schema>,
        max_quarantine: f64,
    ) -> Result<Ingested<Vec<u8>>, String> {
        let parameters = Parameters {
            max_quarantine,
            ..Parameters::default()
        };
        passes::ingest(
            Cursor::new(bytes),
            schema,
            &parameters,
            |_| Ok(Vec::new()),
            |_, _| {},
        )
    }

    fn table(ingested: &Ingested<Vec<u8>>) -> Table {
        let table = arrow::read(Cursor::new(&ingested.table)).unwrap();
        table.validate().unwrap();
        table
    }

    fn every_type() -> Vec<(&'static str, ArrayRef)> {
        let dictionary: DictionaryArray<Int8Type> = [Some("y"), None, Some("y"), Some("x")]
            .into_iter()
            .collect();
        vec![
            (
                "i",
                Arc::new(Int32Array::from(vec![Some(1), None, Some(3), Some(4)])),
            ),
            ("big", Arc::new(UInt64Array::from(vec![1, u64::MAX, 3, 4]))),
            ("small", Arc::new(UInt64Array::from(vec![1, 2, 3, 4]))),
            (
                "f",
                Arc::new(Float32Array::from(vec![0.5, f32::NAN, 1.5, 2.5])),
            ),
            (
                "money",
                Arc::new(
                    Decimal128Array::from(vec![1999, -5, 0, 1])
                        .with_precision_and_scale(10, 2)
                        .unwrap(),
                ),
            ),
            (
                "b",
                Arc::new(BooleanArray::from(vec![true, false, true, true])),
            ),
            ("c", Arc::new(StringArray::from(vec!["u", "v", "u", "v"]))),
            ("t", Arc::new(StringArray::from(vec!["p", "q", "r", "007"]))),
            (
                "s",
                Arc::new(StringArray::from(vec![
                    "2024-01-31",
                    "2024-02-01",
                    "2024-02-02",
                    "2024-02-03",
                ])),
            ),
            ("d", Arc::new(dictionary)),
            ("day", Arc::new(Date32Array::from(vec![0, 1, -1, 19_753]))),
            (
                "when",
                Arc::new(
                    TimestampMillisecondArray::from(vec![0, 1, 2, -1]).with_timezone("+02:00"),
                ),
            ),
            (
                "raw",
                Arc::new(BinaryArray::from(vec![b"a".as_slice(), b"b", b"c", b"d"])),
            ),
            (
                "void",
                Arc::new(Int32Array::from(vec![None, None, None, None])),
            ),
        ]
    }

    #[test]
    fn every_type_becomes_a_kind() {
        let ingested = run_with(file(every_type(), Compression::SNAPPY), None, 0.0).unwrap();
        let schema = Schema::parse(&ingested.schema).unwrap();
        let kinds: Vec<_> = schema
            .columns
            .iter()
            .map(|column| {
                (
                    column.name.as_str(),
                    column.kind.name(),
                    column.nulls.unwrap(),
                )
            })
            .collect();
        assert_eq!(
            kinds,
            [
                ("i", "integer", 1),
                ("big", "float", 0),
                ("small", "integer", 0),
                ("f", "float", 1),
                ("money", "float", 0),
                ("b", "boolean", 0),
                ("c", "category", 0),
                ("t", "text", 0),
                ("s", "timestamp", 0),
                ("d", "text", 1),
                ("day", "timestamp", 0),
                ("when", "timestamp", 0),
                ("raw", "text", 0),
                ("void", "null", 4),
            ]
        );
        let table = table(&ingested);
        assert_eq!(table.columns[0].values, Values::Integers(vec![1, 2, 3, 4]));
        assert_eq!(table.column("money").unwrap().label(0).unwrap(), "19.99");
        assert_eq!(
            table.column("day").unwrap().label(3).unwrap(),
            "2024-01-31T00:00:00.000000Z"
        );
        assert_eq!(table.column("when").unwrap().number(3), Some(-1_000.0));
        assert_eq!(
            table.column("big").unwrap().number(1),
            Some(1.844_674_407_370_955_2e19)
        );
    }

    #[test]
    fn codecs_are_read_or_named() {
        let expected = run_with(file(every_type(), Compression::UNCOMPRESSED), None, 0.0).unwrap();
        for codec in [
            Compression::SNAPPY,
            Compression::GZIP(Default::default()),
            Compression::BROTLI(Default::default()),
            Compression::LZ4,
            Compression::LZ4_RAW,
        ] {
            let ingested = run_with(file(every_type(), codec), None, 0.0).unwrap();
            assert!(ingested.table == expected.table, "{codec:?}");
        }
        // zstd can't be written here: the codec of an uncompressed column is said to be zstd.
        let column: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        let plain = file(vec![("a", Arc::clone(&column))], Compression::UNCOMPRESSED);
        let _ = ZstdLevel::default();
        let at = plain.len()
            - 8
            - u32::from_le_bytes(plain[plain.len() - 8..plain.len() - 4].try_into().unwrap())
                as usize;
        let reason = (at..plain.len() - 8)
            .filter(|at| plain[*at] == 0x15 && plain[at + 1] == 0)
            .find_map(|at| {
                let mut zstd = plain.clone();
                zstd[at + 1] = 12;
                let reason = run_with(zstd, None, 0.0).err()?;
                reason.contains("zstd").then_some(reason)
            })
            .unwrap();
        assert!(
            reason.starts_with("column 'a' is compressed with zstd"),
            "{reason}"
        );
    }

    #[test]
    fn many_rows_keep_their_order_and_numbers() {
        let rows = 20_001;
        let numbers: Vec<i32> = (0..rows).collect();
        let texts: Vec<String> = numbers.iter().map(|n| format!("c{}", n % 3)).collect();
        let ingested = run_with(
            file(
                vec![
                    ("n", Arc::new(Int32Array::from(numbers))),
                    ("c", Arc::new(StringArray::from(texts))),
                ],
                Compression::SNAPPY,
            ),
            None,
            0.0,
        )
        .unwrap();
        let table = table(&ingested);
        assert_eq!((table.rows, ingested.duplicates), (rows as usize, 0));
        assert_eq!(table.columns[0].number(20_000), Some(20_001.0));
        assert_eq!(table.columns[1].number(20_000), Some(20_000.0));
        assert_eq!(table.columns[2].label(20_000).unwrap(), "c2");
    }

    #[test]
    fn values_that_do_not_fit_are_set_apart() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            (
                "f",
                Arc::new(Float64Array::from(vec![1.0, f64::INFINITY, 2.0])),
            ),
            (
                "raw",
                Arc::new(BinaryArray::from(vec![b"a".as_slice(), b"b", b"\xff"])),
            ),
        ];
        let ingested = run_with(file(columns, Compression::SNAPPY), None, 0.9).unwrap();
        assert_eq!(
            String::from_utf8(ingested.quarantine.clone().unwrap()).unwrap(),
            "{\"row\":2,\"column\":\"f\",\"rule\":\"not-finite\",\"raw\":\"inf\"}\n\
             {\"row\":3,\"column\":\"raw\",\"rule\":\"not-utf8\",\"raw\":\"\u{fffd}\"}\n"
        );
        assert_eq!(
            table(&ingested).columns[0].values,
            Values::Integers(vec![1])
        );
    }

    #[test]
    fn a_declared_schema_casts() {
        let schema = Schema::parse(
            br#"{"format":1,"declared":true,"columns":[{"name":"i","kind":"category"},{"name":"t","kind":"integer"},{"name":"small","kind":"float"},{"name":"when","kind":"text"},{"name":"new","kind":"boolean","optional":true}]}"#,
        )
        .unwrap();
        let ingested =
            run_with(file(every_type(), Compression::SNAPPY), Some(&schema), 0.9).unwrap();
        assert_eq!((ingested.rows, ingested.quarantined), (1, 3));
        let table = table(&ingested);
        let labels: Vec<_> = table.columns.iter().map(|column| column.label(0)).collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            labels,
            [
                text("4"),
                text("4"),
                text("7"),
                text("4.0"),
                text("1969-12-31T23:59:59.999000Z"),
                None
            ]
        );
    }

    #[test]
    fn types_that_are_not_read_are_named() {
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)])]);
        for (array, part) in [
            (Arc::new(list) as ArrayRef, "List"),
            (Arc::new(Time32SecondArray::from(vec![1])), "Time32"),
            (
                Arc::new(arrow_array::DurationSecondArray::from(vec![1])),
                "Duration",
            ),
        ] {
            let reason = run_with(file(vec![("x", array)], Compression::SNAPPY), None, 0.0)
                .err()
                .unwrap_or_else(|| part.to_owned());
            assert!(reason.starts_with("column 'x' has the type"), "{reason}");
            assert!(reason.contains(part), "{reason}");
        }
        let one: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        let reason = run_with(
            file(vec![("septet:x", one)], Compression::SNAPPY),
            None,
            0.0,
        );
        assert!(reason.err().unwrap().contains("does not begin with"));
    }

    #[test]
    fn damage_is_told_and_never_panics() {
        let whole = file(every_type(), Compression::UNCOMPRESSED);
        for end in (4..whole.len()).step_by(11) {
            let reason = run_with(whole[..end].to_vec(), None, 0.0).err().unwrap();
            assert!(!reason.contains('\n'), "{reason}");
        }
        let mut told = 0;
        for at in 4..whole.len() {
            for flip in [0xff, 0x01, 0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02] {
                let mut flipped = whole.clone();
                flipped[at] ^= flip;
                told += usize::from(run_with(flipped, None, 0.0).is_err());
            }
        }
        assert!(told > 0);
    }
}
