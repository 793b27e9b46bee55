use std::io::Cursor;

use septet_kit::{
    arrow,
    bundle::TRAIN_ROW,
    preprocessing::{Folds, TARGET, UNIT, WEIGHT},
    table::{Column, ROW, Values},
};

use super::*;
use crate::{parameters::AskedSplit, window::Span};

fn column(name: &str, values: Values, nulls: &[u32]) -> Column {
    Column {
        name: name.to_owned(),
        values,
        nulls: nulls.to_vec(),
    }
}

fn texts(values: impl Iterator<Item = &'static str>) -> Values {
    Values::Texts(values.map(ToOwned::to_owned).collect())
}

/// Rows 0, 1, 2, …: a number, a text that tells the class, the class, and a constant.
pub(crate) fn table(rows: usize) -> Table {
    let numbers = || 0..rows as i64;
    let class = || (0..rows).map(|row| ["no", "yes"][row % 2]);
    Table {
        rows,
        columns: vec![
            column(
                ROW,
                Values::Integers(numbers().map(|n| n + 2).collect()),
                &[],
            ),
            column("n", Values::Integers(numbers().collect()), &[]),
            column(
                "group",
                Values::Integers(numbers().map(|n| n / 4).collect()),
                &[],
            ),
            column(
                "t",
                texts((0..rows).map(|row| ["a", "b"][row / 2 % 2])),
                &[1],
            ),
            column("y", texts(class()), &[]),
            column("one", Values::Integers(vec![1; rows]), &[]),
        ],
    }
}

pub(crate) fn parameters() -> Parameters {
    Parameters {
        target: "y".to_owned(),
        test_share: Some(0.25),
        ..Parameters::default()
    }
}

pub(crate) fn no_transform(_: &str, _: Table) -> Result<Table, String> {
    panic!("there is no transform");
}

fn lines(table: &Table) -> Vec<i64> {
    (0..table.rows).map(|row| table.line(row)).collect()
}

#[test]
fn a_table_is_split_and_fitted() {
    let prepared = prepare(table(400), None, &parameters(), None, no_transform).unwrap();
    let plan = &prepared.preprocessing;
    assert_eq!(plan.classes, ["no", "yes"]);
    assert_eq!(plan.features, ["n", "group", "t_a", "t_b"]);
    let inputs: Vec<_> = plan.inputs.iter().map(|input| &input.name).collect();
    assert_eq!(inputs, ["n", "group", "t"]);
    assert_eq!(
        plan.class_counts.iter().sum::<u64>() as usize,
        prepared.train_rows()
    );
    assert_eq!(prepared.train_rows() + prepared.test.rows, 400);
    assert!(prepared.test.column("y").is_some());
    assert!(prepared.test.column(ROW).is_some());
    assert_eq!(prepared.sample.rows, 32);
    assert_eq!(prepared.sample.columns.len(), 4);
    assert_eq!(prepared.reference.columns.len(), 3);

    let bytes = prepared.write_train(Vec::new(), |_, _| {}).unwrap();
    let train = arrow::read(Cursor::new(bytes)).unwrap();
    assert_eq!(train.rows, prepared.train_rows());
    assert_eq!(train.columns.last().unwrap().name, TARGET);
    let Values::Floats(scaled) = &train.columns[0].values else {
        panic!("features are floats");
    };
    let mean = scaled.iter().sum::<f64>() / scaled.len() as f64;
    let squares = scaled.iter().map(|x| x * x).sum::<f64>() / scaled.len() as f64;
    assert!(mean.abs() < 1e-12 && (squares - 1.0).abs() < 1e-12);
    assert!(prepared.notes.iter().any(|note| note.contains("'one'")));
}

#[test]
fn the_sample_names_its_train_rows() {
    let prepared = prepare(table(100), None, &parameters(), None, no_transform).unwrap();
    let bytes = prepared.write_train(Vec::new(), |_, _| {}).unwrap();
    let train = arrow::read(Cursor::new(bytes)).unwrap();
    let sample = prepared.preprocessing.check(&prepared.sample).unwrap();
    let features = prepared.preprocessing.features(&sample).unwrap();
    let Values::Integers(numbers) = &prepared.sample.column(TRAIN_ROW).unwrap().values else {
        panic!("numbers are integers");
    };
    for (row, number) in numbers.iter().enumerate() {
        let expected: Vec<_> = train.columns[..features.columns]
            .iter()
            .map(|column| column.number(*number as usize).unwrap())
            .collect();
        assert_eq!(features.row(row), expected);
    }
}

#[test]
fn appended_rows_leave_the_test_rows_where_they_are() {
    let before = prepare(table(200), None, &parameters(), None, no_transform).unwrap();
    let split = Some(before.split.clone());
    let after = prepare(table(300), None, &parameters(), split, no_transform).unwrap();
    let before = lines(&before.test);
    assert_eq!(lines(&after.test)[..before.len()], before);
}

#[test]
fn a_key_keeps_groups_together_and_is_no_feature() {
    let parameters = Parameters {
        key: Some("group".to_owned()),
        ..parameters()
    };
    let prepared = prepare(table(400), None, &parameters, None, no_transform).unwrap();
    assert_eq!(prepared.preprocessing.features, ["n", "t_a", "t_b"]);
    assert_eq!(prepared.test.rows % 4, 0);
    let inputs = &prepared.preprocessing.inputs;
    assert!(inputs.iter().all(|input| input.name != UNIT));

    // The test table tells which rows are of one group, as the train table does.
    let group = prepared.test.column("group").unwrap();
    let unit = prepared.test.column(UNIT).unwrap();
    for row in 1..prepared.test.rows {
        assert_eq!(
            group.number(row) == group.number(row - 1),
            unit.number(row) == unit.number(row - 1)
        );
    }
    let bytes = prepared.write_test(Vec::new()).unwrap();
    assert_eq!(arrow::read(Cursor::new(bytes)).unwrap(), prepared.test);
}

#[test]
fn transforms_see_neither_target_nor_line_and_all_inputs_are_kept() {
    let parameters = Parameters {
        transforms: vec!["digest".to_owned()],
        key: Some("group".to_owned()),
        ..parameters()
    };
    let prepared = prepare(table(400), None, &parameters, None, |digest, mut batch| {
        assert_eq!(digest, "digest");
        let names: Vec<_> = batch.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["n", "t", "one"]);
        let mut half = batch.remove("n").unwrap();
        half.name = "half".to_owned();
        batch.columns.push(half);
        Ok(batch)
    })
    .unwrap();
    assert_eq!(prepared.preprocessing.features, ["t_a", "t_b", "half"]);
    let inputs: Vec<_> = prepared
        .preprocessing
        .inputs
        .iter()
        .map(|i| &i.name)
        .collect();
    assert_eq!(inputs, ["n", "t", "one"]);
}

#[test]
fn rows_without_a_target_are_left_out() {
    let mut with_nulls = table(200);
    with_nulls.columns[4].nulls = vec![0, 7];
    let prepared = prepare(with_nulls, None, &parameters(), None, no_transform).unwrap();
    assert_eq!(prepared.train_rows() + prepared.test.rows, 198);
    assert!(prepared.notes[0].contains("2 rows without a target"));
}

#[test]
fn a_side_that_can_not_work_is_told_with_what_to_do() {
    let told = |table: Table, test_share: f64| {
        let parameters = Parameters {
            test_share: Some(test_share),
            ..parameters()
        };
        prepare(table, None, &parameters, None, no_transform)
            .err()
            .unwrap()
    };
    let reason = told(table(2), 0.000_001);
    assert!(reason.contains("test side"), "{reason}");
    assert!(reason.contains("larger test_share"), "{reason}");
    let reason = told(table(2), 0.999_999);
    assert!(reason.contains("train side"), "{reason}");
    let mut rare = table(100);
    rare.columns[4].values = texts((0..100).map(|row| if row == 3 { "yes" } else { "no" }));
    let reason = told(rare, 0.25);
    assert!(reason.contains("only the class 'no'"), "{reason}");
    let mut one = table(100);
    one.columns[4].values = texts((0..100).map(|_| "no"));
    assert!(told(one, 0.25).contains("only one value"));
    let mut none = table(100);
    none.columns[4].nulls = (0..100).collect();
    assert!(told(none, 0.25).contains("no value in any row"));
}

#[test]
fn equal_tables_give_equal_bytes() {
    let bytes = || {
        let prepared = prepare(table(100), None, &parameters(), None, no_transform).unwrap();
        (
            prepared.write_train(Vec::new(), |_, _| {}).unwrap(),
            prepared.write_test(Vec::new()).unwrap(),
            serde_json::to_vec(&prepared.preprocessing).unwrap(),
        )
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn roles_are_no_features_and_weights_are_written() {
    let mut weighted = table(400);
    weighted.columns.push(column(
        "w",
        Values::Floats((0..400).map(|row| f64::from(row % 4)).collect()),
        &[],
    ));
    weighted.columns.push(column(
        "at",
        Values::Timestamps((0..400).map(|row| row * 3_600_000_000).collect()),
        &[],
    ));
    let run = |json: &str| {
        let parameters: Parameters = serde_json::from_str(json).unwrap();
        prepare(weighted.clone(), None, &parameters, None, no_transform)
    };
    let prepared = run(
        r#"{"target":"y","split":"time","time":"at","weight":"w","class_weight":"balanced","drop":["group"],"positive":"no"}"#,
    )
    .unwrap();
    let plan = &prepared.preprocessing;
    assert_eq!(plan.features, ["n", "t_a", "t_b"]);
    assert_eq!((plan.folds, plan.weighted), (Folds::Time, true));
    assert_eq!(plan.positive.as_deref(), Some("no"));
    assert_eq!(prepared.train_rows() + prepared.test.rows, 300);
    assert_eq!(prepared.test.rows, 60);
    let bytes = prepared.write_train(Vec::new(), |_, _| {}).unwrap();
    let train = arrow::read(Cursor::new(bytes)).unwrap();
    let names: Vec<_> = train.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names[3..], [UNIT, WEIGHT, TARGET]);
    let numbers = |name| train.column(name).unwrap().numbers().unwrap();
    let weights: f64 = numbers(WEIGHT).into_iter().flatten().sum();
    assert!((weights / train.rows as f64 - 1.0).abs() < 1e-12);
    assert_eq!(numbers(UNIT)[1], Some(2.0 * 3_600_000_000.0));
    let Values::Floats(tested) = &prepared.test.column(UNIT).unwrap().values else {
        panic!("units are floats");
    };
    assert!(tested.iter().all(|time| *time > 240.0 * 3_600_000_000.0));

    let grouped =
        run(r#"{"target":"y","split":"group","group":"group","time":"at","window":"1w"}"#);
    let grouped = grouped.unwrap();
    let plan = &grouped.preprocessing;
    assert_eq!((plan.folds, plan.weighted), (Folds::Groups, false));
    assert!(plan.features.contains(&"at_hour".to_owned()));
    assert!(!plan.features.contains(&"group".to_owned()));
    assert_eq!(grouped.train_rows() + grouped.test.rows, 7 * 24 + 1);
    for (json, told) in [
        (r#"{"target":"y","drop":["grop"]}"#, "did you mean 'group'?"),
        (
            r#"{"target":"n","class_weight":"balanced"}"#,
            "is of classes",
        ),
        (
            r#"{"target":"y","positive":"maybe"}"#,
            "none of the classes",
        ),
        (r#"{"target":"y","weight":"t"}"#, "weights are numbers"),
    ] {
        let reason = run(json).err().unwrap();
        assert!(reason.contains(told), "{reason}");
    }
}

#[test]
fn a_test_file_is_the_test_and_equal_rows_are_not_trained_on() {
    let all = table(400);
    let tests = all.take(&(0..100).collect::<Vec<_>>());
    let parameters = Parameters {
        split: Some(AskedSplit::File),
        ..parameters()
    };
    let prepared = prepare(all, Some(tests.clone()), &parameters, None, no_transform).unwrap();
    let mut test = prepared.test.clone();
    let units = test.remove(UNIT).unwrap();
    assert_eq!(test, tests);
    assert_eq!(prepared.train_rows(), 300);
    let Values::Floats(mut units) = units.values else {
        panic!("units are floats");
    };
    units.sort_unstable_by(f64::total_cmp);
    units.dedup();
    assert_eq!(units.len(), 100);
    let told = prepare(table(9), None, &parameters, None, no_transform);
    assert!(told.err().unwrap().contains("no test file"));
}

#[test]
fn rows_of_a_test_file_that_test_nothing_are_not_trained_on_either() {
    let mut all = table(400);
    let hours = (0..400).map(|row| row * 3_600_000_000).collect();
    all.columns
        .push(column("at", Values::Timestamps(hours), &[]));
    let mut tests = all.take(&(0..100).collect::<Vec<_>>());
    // Without a target a row tests nothing, but its key is known.
    tests.columns[4].nulls = vec![60, 77];
    let parameters = Parameters {
        split: Some(AskedSplit::File),
        key: Some("n".to_owned()),
        time: Some("at".to_owned()),
        window: Some(Span::parse("350h").unwrap()),
        ..parameters()
    };
    let prepared = prepare(all, Some(tests), &parameters, None, no_transform).unwrap();
    // A window is of the train rows: the test file is older.
    assert_eq!(prepared.test.rows, 98);
    assert_eq!(prepared.train_rows(), 300);
}

#[test]
fn duplicates_are_counted_and_a_telling_column_is_named() {
    let mut twice = table(100);
    twice.append(table(100)).unwrap();
    twice.columns[3] = column("t", texts((0..200).map(|row| ["a", "b"][row % 2])), &[]);
    let prepared = prepare(twice, None, &parameters(), None, no_transform).unwrap();
    assert_eq!(prepared.duplicates, 100);
    let notes = prepared.notes.join("\n");
    assert!(notes.contains("100 rows are equal to another"), "{notes}");
    assert!(notes.contains("'t' alone almost predicts"), "{notes}");
    assert!(notes.contains("positive class"), "{notes}");
}
