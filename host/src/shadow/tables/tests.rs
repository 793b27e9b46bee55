use std::{io::Cursor, time::Duration};

use proptest::{collection::vec, option, prelude::*};
use septet_kit::{
    arrow::{self, Writer},
    table::{Column, Values},
};

use super::*;
use crate::shadow::rows::Format;

fn column(name: &str, values: Values, nulls: &[u32]) -> Column {
    Column {
        name: name.to_owned(),
        values,
        nulls: nulls.to_vec(),
    }
}

fn table(columns: Vec<Column>) -> Table {
    Table {
        rows: columns.first().map_or(0, |column| column.values.len()),
        columns,
    }
}

/// A file of the table, in batches of `rows`.
fn arrow(table: &Table, rows: usize) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), table.fields()).unwrap();
    let mut at = 0;
    while at < table.rows {
        writer.write(&table.slice(at, rows)).unwrap();
        at += rows;
    }
    writer.finish().unwrap()
}

type File = Cursor<Vec<u8>>;

fn open(bytes: Vec<u8>) -> Rows<File> {
    Rows::open(Cursor::new(bytes), Format::Arrow).unwrap()
}

fn tolerance(columns: &[(&str, f64)]) -> Tolerance {
    let columns = columns.iter().map(|(name, by)| ((*name).to_owned(), *by));
    Tolerance {
        columns: columns.collect(),
        ..Tolerance::default()
    }
}

fn terms<'a>(key: Option<&'a str>, tolerance: &'a Tolerance) -> Terms<'a> {
    let deadline = Instant::now() + Duration::from_mins(1);
    Terms::new("table", key, tolerance, deadline)
}

fn compared(one: &Table, other: &Table, key: Option<&str>, tolerance: &Tolerance) -> Comparison {
    let mut comparison = Comparison::default();
    let (one, other) = (open(arrow(one, 3)), open(arrow(other, 5)));
    compare(&terms(key, tolerance), one, other, &mut comparison).unwrap();
    comparison
}

fn places(comparison: &Comparison) -> Vec<&str> {
    let differences = comparison.differences().iter();
    differences.map(|one| one.place.as_str()).collect()
}

fn people(ids: &[i64], ages: &[f64]) -> Table {
    table(vec![
        column("id", Values::Integers(ids.to_vec()), &[]),
        column("age", Values::Floats(ages.to_vec()), &[]),
    ])
}

#[test]
fn a_difference_is_told_with_row_column_and_figures() {
    let default = Tolerance::default();
    let one = people(
        &[1, 2, 3, 4, 5, 6, 7],
        &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, f64::NAN],
    );
    let other = people(
        &[1, 2, 3, 4, 5, 6, 7],
        &[1.0, 2.5, 3.0, 4.0, 5.0, 4.0, f64::NAN],
    );
    assert!(compared(&one, &one, None, &default).is_match());
    let told = compared(&one, &other, None, &default);
    assert_eq!(
        places(&told),
        ["table, row 2, column age", "table, row 6, column age"]
    );
    let first = &told.differences()[0];
    assert_eq!(
        (first.in_force.as_str(), first.shadow.as_str()),
        ("2.0", "2.5")
    );
    let unlike = told.columns()["table, column age"];
    assert_eq!((unlike.rows, unlike.absolute), (2, 2.0));
    assert!((unlike.relative - 1.0 / 3.0).abs() < 1e-12);
    let told = compared(&one, &other, Some("id"), &default);
    assert_eq!(places(&told)[0], "table, row id=2, column age");
    // A column's own tolerance makes them alike.
    assert!(compared(&one, &other, Some("id"), &tolerance(&[("age", 2.0)])).is_match());
    let near = tolerance(&[("age", 1.0)]);
    assert_eq!(places(&compared(&one, &other, None, &near)).len(), 1);
    // A key that one has not says nothing.
    let told = compared(&one, &other, Some("name"), &default);
    assert_eq!(places(&told)[0], "table, row 2, column age");
}

#[test]
fn by_a_key_the_order_does_not_count_and_what_is_missing_is_named() {
    let default = Tolerance::default();
    let one = people(&[1, 2, 3, 3], &[1.0, 2.0, 3.0, 4.0]);
    let other = people(&[3, 3, 2, 1], &[3.0, 4.0, 2.0, 1.0]);
    assert!(compared(&one, &other, Some("id"), &default).is_match());
    assert!(!compared(&one, &other, None, &default).is_match());
    let other = people(&[4, 1, 3], &[9.0, 1.0, 3.0]);
    let told = compared(&one, &other, Some("id"), &default);
    assert_eq!(
        places(&told),
        ["table, row id=2", "table, row id=3", "table, row id=4"]
    );
    assert_eq!(told.columns()["table, rows that only one has"].rows, 3);
    let told = compared(&one, &people(&[1, 2], &[1.0, 2.0]), None, &default);
    assert_eq!(places(&told), ["table, row 3", "table, row 4"]);
    assert_eq!(told.differences()[0].shadow, "nothing");
}

#[test]
fn other_columns_and_kinds_are_told() {
    let default = Tolerance::default();
    let one = people(&[1, 2], &[1.0, 2.0]);
    let more = table(vec![
        column("age", Values::Integers(vec![1, 2]), &[]),
        column(
            "name",
            Values::Texts(vec!["x".to_owned(), "y".to_owned()]),
            &[],
        ),
    ]);
    let told = compared(&one, &more, None, &default);
    assert_eq!(
        places(&told),
        [
            "table, column id",
            "table, column age",
            "table, column name"
        ]
    );
    assert_eq!(told.differences()[1].shadow, "integers");
    let turned = table(vec![one.columns[1].clone(), one.columns[0].clone()]);
    let told = compared(&one, &turned, None, &default);
    assert!(
        told.is_match() && told.notes()[0].contains("another order"),
        "{told:?}"
    );
    // Categories are texts, whatever their codes.
    let texts = column(
        "t",
        Values::Texts(vec!["b".to_owned(), "a".to_owned()]),
        &[],
    );
    let codes = Values::Categories {
        dictionary: vec!["a".to_owned(), "b".to_owned()],
        codes: vec![1, 0],
    };
    let coded = table(vec![column("t", codes, &[])]);
    assert!(compared(&table(vec![texts]), &coded, None, &default).is_match());
}

#[test]
fn rubbish_and_too_much_end_it() {
    let default = Tolerance::default();
    let one = people(&[1, 2, 3], &[1.0, 2.0, 3.0]);
    let bytes = arrow(&one, 2);
    // A file whose second batch is damaged: what came before is compared.
    let mut damaged = 0;
    for at in (0..bytes.len()).step_by(3) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0xff;
        let Ok(rows) = Rows::open(Cursor::new(flipped), Format::Arrow) else {
            continue;
        };
        let mut comparison = Comparison::default();
        let terms = terms(None, &default);
        let ended = compare(&terms, open(bytes.clone()), rows, &mut comparison);
        assert!(!matches!(ended, Err(Unread::InForce(_))));
        damaged += usize::from(ended.is_err());
    }
    assert!(damaged > 0);
    let mut terms = terms(Some("id"), &default);
    terms.waiting = 100;
    let ended = compare(
        &terms,
        open(bytes.clone()),
        open(arrow(&people(&[7, 8, 9], &[1.0; 3]), 9)),
        &mut Comparison::default(),
    );
    assert!(matches!(ended, Err(Unread::Bound(_))));
    terms.deadline = Instant::now();
    let rows = [open(bytes.clone()), open(bytes)];
    let [one, other] = rows;
    let ended = compare(&terms, one, other, &mut Comparison::default());
    assert_eq!(ended, Err(Unread::Bound("it takes too long".to_owned())));
    assert!(Rows::open(Cursor::new(b"rubbish".to_vec()), Format::Arrow).is_err());
    let twice = table(vec![
        column("a", Values::Integers(vec![1]), &[]),
        column("a", Values::Integers(vec![1]), &[]),
    ]);
    let twice = arrow::write(Vec::new(), &twice).unwrap();
    let opened = Rows::open(Cursor::new(twice), Format::Arrow);
    assert!(opened.err().unwrap().contains("twice"));
}

/// A row: its key, and a number.
type Row = (Option<u8>, Option<f64>);

fn rows_of(rows: &[Row]) -> Table {
    let nulls = |is_null: &dyn Fn(&Row) -> bool| -> Vec<u32> {
        let rows = (0..).zip(rows).filter(|(_, row)| is_null(row));
        rows.map(|(number, _)| number).collect()
    };
    let keys = rows.iter().map(|row| row.0.unwrap_or_default().into());
    let values = rows.iter().map(|row| row.1.unwrap_or_default());
    table(vec![
        column(
            "k",
            Values::Integers(keys.collect()),
            &nulls(&|row| row.0.is_none()),
        ),
        column(
            "v",
            Values::Floats(values.collect()),
            &nulls(&|row| row.1.is_none()),
        ),
    ])
}

/// How many values are unlike and how many rows only one has, by looking at all of them.
fn naive(one: &[Row], other: &[Row], keyed: bool, within: f64) -> (u64, u64, u64) {
    let mut left: Vec<(usize, Row)> = other.iter().copied().enumerate().collect();
    let (mut values, mut keys, mut alone) = (0, 0, 0);
    for (at, row) in one.iter().enumerate() {
        let like = left.iter().position(|(number, there)| {
            if keyed {
                there.0 == row.0
            } else {
                *number == at
            }
        });
        let Some(like) = like else {
            alone += 1;
            continue;
        };
        let (_, there) = left.remove(like);
        keys += u64::from(row.0 != there.0);
        let alike = match (row.1, there.1) {
            (Some(a), Some(b)) => {
                a.is_nan() && b.is_nan() || a.total_cmp(&b).is_eq() || (a - b).abs() <= within
            }
            (a, b) => a.is_none() && b.is_none(),
        };
        values += u64::from(!alike);
    }
    (values, keys, alone + left.len() as u64)
}

fn row() -> impl Strategy<Value = Row> {
    let number = prop_oneof![
        (-3_i8..3).prop_map(|number| f64::from(number) / 2.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(-0.0),
    ];
    (
        option::weighted(0.9, 0_u8..12),
        option::weighted(0.8, number),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn it_says_what_looking_at_all_rows_says(
        one in vec(row(), 0..40), other in vec(row(), 0..40),
        same in any::<bool>(), keyed in any::<bool>(), sizes in (1_usize..12, 1_usize..12),
        within in prop_oneof![Just(0.0), Just(0.5), Just(1.0)],
    ) {
        let other = if same { one.iter().rev().copied().collect() } else { other };
        let (values, keys, alone) = naive(&one, &other, keyed, within);
        let tolerance = tolerance(&[("v", within)]);
        let files = (arrow(&rows_of(&one), sizes.0), arrow(&rows_of(&other), sizes.1));
        let mut comparison = Comparison::default();
        let terms = terms(keyed.then_some("k"), &tolerance);
        compare(&terms, open(files.0), open(files.1), &mut comparison).unwrap();
        let rows = |name: &str| comparison.columns().get(name).map_or(0, |unlike| unlike.rows);
        prop_assert_eq!(rows("table, column v"), values);
        prop_assert_eq!(rows("table, column k"), keys);
        prop_assert_eq!(rows("table, rows that only one has"), alone);
        prop_assert_eq!(comparison.is_match(), values + keys + alone == 0);
        prop_assert!(!same || !keyed || alone == 0);
    }
}
