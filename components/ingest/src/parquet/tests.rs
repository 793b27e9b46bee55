//! Files that are written here, and what they become.

use std::{io::Cursor, sync::Arc};

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    Float32Array, Float64Array, Int32Array, ListArray, RecordBatch, StringArray, Time32SecondArray,
    TimestampMillisecondArray, UInt64Array,
    types::{Int8Type, Int32Type},
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, GzipLevel},
    file::properties::WriterProperties,
};
use septet_kit::{
    arrow,
    schema::Schema,
    table::{Table, Values},
};

use crate::{output::Ingested, parameters::Parameters, passes};

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
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
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
            Arc::new(TimestampMillisecondArray::from(vec![0, 1, 2, -1]).with_timezone("+02:00")),
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
        Compression::GZIP(GzipLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
    ] {
        let ingested = run_with(file(every_type(), codec), None, 0.0).unwrap();
        assert!(ingested.table == expected.table, "{codec:?}");
    }
    // zstd can't be written here: the codec of an uncompressed column is said to be zstd.
    let column: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let plain = file(vec![("a", Arc::clone(&column))], Compression::UNCOMPRESSED);
    let at = plain.len()
        - 8
        - u32::from_le_bytes(plain[plain.len() - 8..plain.len() - 4].try_into().unwrap()) as usize;
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
    let ingested = run_with(file(every_type(), Compression::SNAPPY), Some(&schema), 0.9).unwrap();
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
            .unwrap();
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
    for at in (4..whole.len()).step_by(3) {
        for flip in [0xff, 0x01] {
            let mut flipped = whole.clone();
            flipped[at] ^= flip;
            told += usize::from(run_with(flipped, None, 0.0).is_err());
        }
    }
    assert!(told > 0);
}
