use super::*;

fn column(name: &str, values: Values, nulls: &[u32]) -> Column {
    Column {
        name: name.to_owned(),
        values,
        nulls: nulls.to_vec(),
    }
}

fn part(columns: Vec<Column>) -> Table {
    Table {
        rows: columns[0].values.len(),
        columns,
    }
}

type Batches = std::iter::Once<Result<Table, String>>;

fn batches(parts: Vec<Table>) -> impl Iterator<Item = Result<Batches, String>> {
    parts.into_iter().map(|part| Ok(std::iter::once(Ok(part))))
}

fn all(parts: Vec<Table>) -> Result<Parts, String> {
    read(batches(parts), batches(vec![]), None, 0, |_| {})
}

fn texts(values: &[&str]) -> Values {
    Values::Texts(values.iter().map(ToString::to_string).collect())
}

fn integers(name: &str, values: &[i64]) -> Column {
    column(name, Values::Integers(values.to_vec()), &[])
}

#[test]
fn kinds_widen_and_order_does_not_count() {
    let parts = all(vec![
        part(vec![
            integers("a", &[1, 2]),
            column("b", texts(&["", ""]), &[0, 1]),
            column("c", texts(&["x", "y"]), &[]),
        ]),
        part(vec![
            column("c", Values::Integers(vec![7]), &[]),
            column("b", Values::Booleans(vec![true]), &[]),
            column("a", Values::Floats(vec![2.5]), &[]),
        ]),
    ])
    .unwrap();
    let table = parts.table;
    assert_eq!((table.rows, parts.apart), (3, 0));
    assert_eq!(
        table.column("a").unwrap().values,
        Values::Floats(vec![1.0, 2.0, 2.5])
    );
    let b = table.column("b").unwrap();
    assert_eq!(b.values, Values::Booleans(vec![false, false, true]));
    assert_eq!(b.nulls, [0, 1]);
    assert_eq!(table.column("c").unwrap().values, texts(&["x", "y", "7"]));
    assert_eq!(
        table.column(ROW).unwrap().values,
        Values::Integers(vec![1, 2, 1])
    );
    table.validate().unwrap();
}

#[test]
fn a_part_that_does_not_fit_is_set_apart_as_a_whole() {
    let parts = all(vec![
        part(vec![integers("a", &[1]), integers("b", &[1])]),
        part(vec![column("a", texts(&["x"]), &[]), integers("b", &[2])]),
        part(vec![integers("a", &[3])]),
        part(vec![
            integers("b", &[4]),
            integers("a", &[4]),
            integers("new", &[4]),
        ]),
    ])
    .unwrap();
    assert_eq!((parts.table.rows, parts.apart), (2, 2));
    assert_eq!(parts.table.columns.len(), 3);
    assert_eq!(
        parts.notes,
        [
            "part 2 is set apart, 1 row with it: column 'a' has the kind text; mend the file \
             or `septet schema accept NAME`",
            "part 3 is set apart, 1 row with it: column 'b' is missing; mend the file or \
             `septet schema accept NAME`",
            "columns that the schema does not have are ignored: 'new'; `septet schema accept \
             NAME` takes them in",
        ]
    );
    assert_eq!(parts.rules.misfits().len(), 2);
    assert!(parts.rules.proposed().is_some());
}

#[test]
fn without_a_part_there_is_nothing() {
    assert!(all(vec![]).unwrap_err().contains("no rows"));
    let first = all(vec![part(vec![integers("a", &[1])])]).unwrap();
    let told = read(
        batches(vec![part(vec![integers("b", &[1])])]),
        batches(vec![]),
        first.rules.schema().cloned(),
        0,
        |_| {},
    )
    .unwrap_err();
    assert!(told.starts_with("no part is left: part 1"), "{told}");
}

#[test]
fn an_optional_column_may_be_missing_and_tests_must_fit() {
    let first = all(vec![part(vec![integers("a", &[1]), integers("b", &[1])])]).unwrap();
    let mut schema = first.rules.schema().cloned().unwrap();
    schema.columns[1].optional = true;
    let run = |tests| {
        let parts = batches(vec![part(vec![integers("a", &[1, 2])])]);
        read(parts, batches(tests), Some(schema.clone()), 0, |_| {})
    };
    let parts = run(vec![part(vec![integers("b", &[1]), integers("a", &[1])])]).unwrap();
    assert_eq!(parts.table.column("b").unwrap().nulls, [0, 1]);
    assert_eq!(parts.tests.unwrap().fields(), parts.table.fields());
    let told = run(vec![part(vec![integers("b", &[1])])]).unwrap_err();
    assert!(told.contains("test part 1") && told.contains("'a' is missing"));
}

fn room(used: usize) -> Room<impl FnMut(u64)> {
    Room {
        size: 0,
        used,
        rows: 0,
        apart: 0,
        progress: |_| {},
    }
}

#[test]
fn categories_are_counted_once_a_part() {
    let category = |codes: Vec<u32>| {
        let dictionary = ["a", "b"].map(|text| text.repeat(10_000)).to_vec();
        part(vec![column(
            "c",
            Values::Categories { dictionary, codes },
            &[],
        )])
    };
    let mut room = room(MAX_BYTES - 50_000);
    let batches = (0..10).map(|code| Ok(category(vec![code % 2])));
    let part = room.load(Ok(batches), "part 1").unwrap();
    assert_eq!(part.rows, 10);
    assert_eq!(room.used, MAX_BYTES - 50_000 + part.bytes());
}

#[test]
fn columns_that_are_missing_or_read_as_texts_take_room() {
    let both = part(vec![
        column("a", texts(&["x"]), &[]),
        column("b", Values::Floats(vec![0.5]), &[]),
    ]);
    let mut schema = all(vec![both]).unwrap().rules.schema().cloned().unwrap();
    schema.columns[1].optional = true;
    let narrow = || {
        part(vec![
            integers(ROW, &[1; 100]),
            integers("a", &[7; 100]),
            integers("new", &[7; 100]),
        ])
    };
    let mut table = narrow();
    let mut left = room(table.bytes());
    conform(&mut table, &schema, &mut left).unwrap();
    assert_eq!(left.used, table.bytes());
    let told = conform(&mut narrow(), &schema, &mut room(MAX_BYTES - 6_000)).unwrap_err();
    assert!(told.contains("too many"), "{told}");
}

#[test]
fn what_is_set_apart_takes_no_room() {
    let mut room = room(0);
    let batches = || Ok((0..3).map(|row| Ok(part(vec![integers("a", &[row])]))));
    let first = room.load(batches(), "part 1").unwrap();
    room.leave(&first);
    assert_eq!((room.used, room.rows, room.apart), (0, 0, 3));
    let second = room.load(batches(), "part 2").unwrap();
    assert_eq!((room.used, room.rows), (second.bytes(), 3));
}

#[test]
fn too_much_is_told_in_rows_and_columns() {
    let parts = batches(vec![part(vec![integers("a", &[1]), integers("b", &[1])])]);
    let told = read(parts, batches(vec![]), None, 3 << 30, |_| {}).unwrap_err();
    assert!(told.contains("rows × 2 columns"), "{told}");
    assert!(told.contains("1024 MiB"), "{told}");
    // A window is of rows that are read already.
    assert!(!told.contains("window"), "{told}");
}
