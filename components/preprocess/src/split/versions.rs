//! The promise of every split: no row for the test of any version is trained on by any version.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};
use septet_kit::{
    preprocessing::Task,
    split::Split,
    table::{Column, Kind, ROW, Table, Values, timestamp_label},
};

use super::decide::{Decided, Side, decide};
use crate::parameters::{AskedSplit, Parameters};

const MINUTE: i64 = 60_000_000;

/// A row; its `id` and its time stay as they are, whatever is corrected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    id: i64,
    group: u8,
    minute: i64,
    value: i64,
    yes: bool,
}

/// What happens to the data set between two versions.
#[derive(Clone, Debug)]
enum Step {
    /// Rows later than all others.
    Append(u8),
    /// Rows of any time that come afterwards.
    Late(u8, u16),
    /// A row that comes again.
    Duplicate(u16),
    /// A label that was wrong.
    Correct(u16),
    /// A row that is not there any more.
    Remove(u16),
}

fn steps() -> impl Strategy<Value = Vec<(Vec<Step>, Kind)>> {
    let step = prop_oneof![
        (1_u8..60).prop_map(Step::Append),
        (1_u8..10, any::<u16>()).prop_map(|(count, minute)| Step::Late(count, minute)),
        any::<u16>().prop_map(Step::Duplicate),
        any::<u16>().prop_map(Step::Correct),
        any::<u16>().prop_map(Step::Remove),
    ];
    // A column of whole numbers is also read as floats, texts and categories.
    let kind = prop::sample::select(vec![
        Kind::Integers,
        Kind::Floats,
        Kind::Texts,
        Kind::Categories,
    ]);
    vec((vec(step, 1..8), kind), 1..7)
}

/// The data set.
#[derive(Default)]
struct World {
    rows: Vec<Row>,
    next: i64,
}

impl World {
    fn add(&mut self, minute: i64) {
        let id = self.next;
        self.next += 1;
        self.rows.push(Row {
            id,
            group: (id * 7 % 23) as u8,
            minute,
            value: id / 3,
            yes: id * 5 % 3 == 0,
        });
    }

    fn step(&mut self, step: &Step) {
        let last = self.rows.iter().map(|row| row.minute).max().unwrap_or(0);
        let pick = |at: u16| usize::from(at) % self.rows.len().max(1);
        match *step {
            Step::Append(count) => {
                for number in 0..i64::from(count) {
                    self.add(last + 1 + number / 2);
                }
            }
            Step::Late(count, minute) => {
                for _ in 0..count {
                    self.add(i64::from(minute) % (last + 1));
                }
            }
            Step::Duplicate(at) => {
                let row = self.rows.get(pick(at)).cloned();
                self.rows.extend(row);
            }
            Step::Correct(at) => {
                let at = pick(at);
                if let Some(row) = self.rows.get_mut(at) {
                    row.yes = !row.yes;
                }
            }
            Step::Remove(at) => {
                let at = pick(at);
                if self.rows.len() > 1 {
                    self.rows.remove(at);
                }
            }
        }
    }
}

fn table(rows: &[Row], kind: Kind) -> Table {
    let column = |name: &str, values| Column {
        name: name.to_owned(),
        values,
        nulls: vec![],
    };
    let mut value = column(
        "v",
        Values::Integers(rows.iter().map(|r| r.value).collect()),
    );
    value.values = value.convert(kind).unwrap();
    let texts = |of: fn(&Row) -> String| Values::Texts(rows.iter().map(of).collect());
    let moments = |of: fn(&Row) -> i64| Values::Timestamps(rows.iter().map(of).collect());
    // What is read as numbers and times in one version is text in another, as the file spells it.
    let (mut padded, mut moment) = (
        column("p", value.values.clone()),
        column("w", moments(|row| row.minute * MINUTE)),
    );
    if matches!(kind, Kind::Texts | Kind::Categories) {
        padded.values = texts(|row| format!(" {}\t", row.value));
        moment.values = texts(|row| {
            let label = timestamp_label(row.minute * MINUTE);
            format!("{} ", label[..16].replace('T', " "))
        });
        for column in [&mut padded, &mut moment] {
            column.values = column.convert(kind).unwrap();
        }
    }
    Table {
        rows: rows.len(),
        columns: vec![
            column(ROW, Values::Integers((2..).take(rows.len()).collect())),
            column("id", Values::Integers(rows.iter().map(|r| r.id).collect())),
            column("g", texts(|row| format!("g{}", row.group))),
            column("at", moments(|row| row.minute * MINUTE)),
            value,
            padded,
            moment,
            column(
                "y",
                texts(|row| if row.yes { "yes" } else { "no" }.to_owned()),
            ),
        ],
    }
}

/// What makes a row the same row for a kind of split.
type Identity = fn(&Row) -> Row;

/// Only the fields that the split knows a row by.
fn known(row: &Row, id: bool, group: bool) -> Row {
    Row {
        id: if id { row.id } else { 0 },
        group: if group { row.group } else { 0 },
        minute: 0,
        value: 0,
        yes: false,
    }
}

fn kinds() -> Vec<(Parameters, Identity)> {
    let of = |split, key: Option<&str>| Parameters {
        target: "y".to_owned(),
        split: Some(split),
        key: key.map(ToOwned::to_owned),
        group: (split == AskedSplit::Group).then(|| "g".to_owned()),
        time: (split == AskedSplit::Time).then(|| "at".to_owned()),
        ..Parameters::default()
    };
    vec![
        (of(AskedSplit::Hash, None), Row::clone),
        (of(AskedSplit::Hash, Some("id")), |row| {
            known(row, true, false)
        }),
        (of(AskedSplit::Group, None), |row| known(row, false, true)),
        (of(AskedSplit::Time, None), |row| known(row, true, false)),
        (of(AskedSplit::File, None), Row::clone),
        (of(AskedSplit::File, Some("id")), |row| {
            known(row, true, false)
        }),
    ]
}

/// All that any version has trained and tested on.
#[derive(Default)]
struct Seen {
    split: Option<Split>,
    trained: BTreeSet<Row>,
    tested: BTreeSet<Row>,
    units: std::collections::BTreeMap<Row, u64>,
}

impl Seen {
    fn version(&mut self, decided: &Decided, rows: &[Row], tests: &[Row], identity: Identity) {
        for ((row, side), unit) in rows.iter().zip(&decided.sides).zip(&decided.units) {
            let row = identity(row);
            // Rows that are one stay in one fold, too.
            let bits = unit.to_bits();
            assert_eq!(*self.units.entry(row.clone()).or_insert(bits), bits);
            match side {
                Side::Train => self.trained.insert(row),
                Side::Test => self.tested.insert(row),
                Side::Out => false,
            };
        }
        self.tested.extend(tests.iter().map(identity));
        let both: Vec<_> = self.trained.intersection(&self.tested).collect();
        assert!(both.is_empty(), "{both:?}");
        // What is handed on is JSON.
        let json = serde_json::to_vec(&decided.split).unwrap();
        self.split = Some(Split::parse(&json).unwrap());
    }
}

fn run(versions: &[(Vec<Step>, Kind)]) -> Vec<Seen> {
    kinds()
        .into_iter()
        .map(|(parameters, identity)| {
            let (mut world, mut seen) = (World::default(), Seen::default());
            let mut tests: Option<Vec<Row>> = None;
            for (steps, kind) in versions {
                for step in steps {
                    world.step(step);
                }
                if world.rows.is_empty() {
                    continue;
                }
                let file = (parameters.kind() == AskedSplit::File).then(|| {
                    tests
                        .get_or_insert_with(|| world.rows.iter().step_by(5).cloned().collect())
                        .clone()
                });
                let decided = decide(
                    &table(&world.rows, *kind),
                    file.as_ref().map(|rows| table(rows, *kind)).as_ref(),
                    Task::Classification,
                    &parameters,
                    seen.split.clone(),
                );
                match decided {
                    Ok(decided) => {
                        let file = file.unwrap_or_default();
                        seen.version(&decided, &world.rows, &file, identity);
                    }
                    Err(reason) => assert!(reason.contains("two different moments"), "{reason}"),
                }
            }
            seen
        })
        .collect()
}

proptest! {
    #[test]
    fn no_test_row_of_any_version_is_a_train_row_of_any(versions in steps()) {
        run(&versions);
    }
}

#[test]
fn all_kinds_have_rows_on_both_sides_and_take_new_ones() {
    let version = |count, kind| (vec![Step::Append(count), Step::Append(count)], kind);
    let two = [version(100, Kind::Integers), version(200, Kind::Texts)];
    for (first, second) in run(&two[..1]).iter().zip(run(&two)) {
        let name = first.split.as_ref().unwrap().rule.told();
        for (before, after) in [
            (&first.trained, &second.trained),
            (&first.tested, &second.tested),
        ] {
            assert!(!before.is_empty(), "{name}");
            let grown = after.len() > before.len();
            assert!(
                grown || name.contains("group") || name.contains("file"),
                "{name}"
            );
        }
    }
}

#[test]
fn another_split_than_the_pinned_one_is_refused() {
    let mut world = World::default();
    world.step(&Step::Append(100));
    let data = table(&world.rows, Kind::Integers);
    let tests = table(&world.rows[..9], Kind::Integers);
    let kinds = kinds();
    let run = |asked: &Parameters, pinned| {
        let file = (asked.kind() == AskedSplit::File).then_some(&tests);
        decide(&data, file, Task::Classification, asked, pinned)
    };
    for (at, (parameters, _)) in kinds.iter().enumerate() {
        let pinned = run(parameters, None).unwrap().split;
        for (other, (asked, _)) in kinds.iter().enumerate() {
            match run(asked, Some(pinned.clone())) {
                Ok(decided) => {
                    assert_eq!((at, &decided.split), (other, &pinned));
                }
                Err(reason) => {
                    assert_ne!(at, other, "{reason}");
                    assert!(reason.contains(&pinned.rule.told()), "{reason}");
                    assert!(reason.contains("another model name"), "{reason}");
                }
            }
        }
        let mut asked = parameters.clone();
        asked.test_share = Some(0.5);
        let decided = run(&asked, Some(pinned.clone())).unwrap();
        assert_eq!(decided.split, pinned);
        assert!(decided.notes[0].contains("test_share stays 0.2"));
        asked.target = "g".to_owned();
        asked.group = asked.group.map(|_| "v".to_owned());
        assert_eq!(run(&asked, Some(pinned)).is_err(), at == 0 || at == 2);
    }
}

#[test]
fn rows_without_a_key_or_time_are_on_no_side() {
    let mut world = World::default();
    world.step(&Step::Append(100));
    for (parameters, _) in &kinds()[1..4] {
        let mut data = table(&world.rows, Kind::Integers);
        let (what, name) = parameters.column().unwrap();
        for column in &mut data.columns {
            if column.name == name {
                column.nulls = vec![0, 99];
            }
        }
        let decided = decide(&data, None, Task::Classification, parameters, None).unwrap();
        assert_eq!(
            (decided.sides[0], decided.sides[99]),
            (Side::Out, Side::Out)
        );
        let told = format!("2 rows without a {what} '{name}' left out");
        assert!(decided.notes.contains(&told), "{:?}", decided.notes);
    }
}

#[test]
fn a_column_of_the_split_must_be_there() {
    let mut world = World::default();
    world.step(&Step::Append(100));
    let (parameters, _) = &kinds()[0];
    let run = |table: &Table, pinned| decide(table, None, Task::Classification, parameters, pinned);
    let data = table(&world.rows, Kind::Integers);
    let first = run(&data, None).unwrap();
    // A column that comes later changes nothing.
    let mut wider = data.clone();
    let mut new = wider.columns[1].clone();
    new.name = "new".to_owned();
    wider.columns.insert(1, new);
    let second = run(&wider, Some(first.split.clone())).unwrap();
    assert_eq!(second.sides, first.sides);
    let mut narrower = data;
    narrower.remove("v");
    let told = run(&narrower, Some(first.split)).unwrap_err();
    assert!(told.contains("the column 'v'"), "{told}");
}

#[test]
fn whole_numbers_that_lose_their_digits_are_refused() {
    let mut world = World::default();
    world.step(&Step::Append(100));
    let (parameters, _) = &kinds()[0];
    let run = |table: &Table, pinned| decide(table, None, Task::Classification, parameters, pinned);
    let with = |values: Values| {
        let mut data = table(&world.rows, Kind::Integers);
        let column = data.columns.iter_mut().find(|column| column.name == "v");
        column.unwrap().values = values;
        data
    };
    let large = |row: i64| (1 << 60) + row;
    let integers = with(Values::Integers((0..100).map(large).collect()));
    let floats = with(Values::Floats(
        (0..100).map(|row| large(row) as f64).collect(),
    ));
    let pinned = run(&integers, None).unwrap().split;
    run(&integers, Some(pinned.clone())).unwrap();
    let told = run(&floats, Some(pinned)).unwrap_err();
    assert!(told.contains("'v'") && told.contains("in row 2"), "{told}");
    // What was a float ever since has lost nothing since.
    let pinned = run(&floats, None).unwrap().split;
    run(&floats, Some(pinned)).unwrap();
}
