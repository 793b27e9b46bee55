//! Transforms on trial: what depends on anything but its row is refused, and told where.

use septet::{
    contract::Digest,
    stage::{Limits, NotAdmitted, TransformReport},
};
use septet_kit::table::{Column, Table, Values};

use crate::{stage::bench::Bench, support::guests::guest};

fn column(name: &str, values: Values) -> Column {
    Column {
        name: name.to_owned(),
        values,
        nulls: Vec::new(),
    }
}

/// A sample with a column that tells the fixture what to do, and some negative numbers.
fn sample(what: &str) -> Table {
    let x: Vec<f64> = (0..40).map(|row| f64::from(row) - 5.5).collect();
    let floats = |name: &str| column(name, Values::Floats(x.clone()));
    let colours = Values::Categories {
        dictionary: ["red", "green", "blue"].map(str::to_owned).to_vec(),
        codes: (0..40).map(|row| row % 3).collect(),
    };
    let columns = vec![
        floats("x"),
        floats("other"),
        column("colour", colours),
        floats(&format!("do:{what}")),
    ];
    Table { rows: 40, columns }
}

fn admit(bench: &Bench, sample: Option<Table>) -> Result<TransformReport, NotAdmitted> {
    let digest = bench.blobs.insert(guest("transform"));
    bench.wait(bench.executor.admit_transform(&digest, sample))
}

fn refused(bench: &Bench, sample: Table) -> String {
    match admit(bench, Some(sample)) {
        Err(NotAdmitted::Refused(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_transform_that_keeps_its_word_is_admitted() {
    let bench = Bench::new();
    let made = admit(&bench, None).unwrap();
    assert!(
        !made.given && made.rows > 100 && made.rejected == 0,
        "{made:?}"
    );
    assert_eq!(
        (made.needs[0].name.as_str(), made.needs[0].kind.as_str()),
        ("x", "floats")
    );
    assert_eq!(made.adds[0].name, "doubled");
    assert!(
        made.imports
            .iter()
            .all(|import| !import.contains("capability"))
    );
    assert!(made.seconds_per_1000_rows > 0.0 && made.peak_memory_bytes > 0);
    let given = admit(&bench, Some(sample("double"))).unwrap();
    assert!(given.given && given.rows == 40, "{given:?}");

    // It rejects rows alone as it does among others: that is its right.
    let some = admit(&bench, Some(sample("reject-some"))).unwrap();
    assert_eq!((some.rows, some.rejected), (40, 6));
    assert!(some.rejection.unwrap().contains("it is negative"));

    // What it counts is gone before the next batch: nothing can depend on it.
    admit(&bench, Some(sample("count"))).unwrap();
}

#[test]
fn what_depends_on_more_than_its_row_is_refused_and_named() {
    let bench = Bench::new();
    let row = "row 1 of the sample, column 'doubled': ";
    for (what, expected) in [
        ("mean", [row, "depends on the batch"]),
        ("order", ["in the whole batch, ", "depends on the batch"]),
        // A code is a place in the dictionary of a batch, and no value.
        ("codes", ["in the whole batch, ", "depends on the batch"]),
        ("clock", [row, "it depends on the clock"]),
        ("random", [row, "it depends on random numbers"]),
        ("hash-order", [row, "the order of a hash map"]),
        (
            "reject-clock",
            ["it depends on the clock", "a row that it rejected is taken"],
        ),
        (
            "reject-all",
            ["takes none of the sample's rows", "as it was told"],
        ),
        (
            "reject-many",
            [
                "takes rows one by one that it does not take together",
                "one at a time",
            ],
        ),
        (
            "reject-one",
            ["when a row comes alone", "it is negative and alone"],
        ),
        (
            "reject-none",
            ["when a batch has no rows", "column 'y' is missing"],
        ),
        (
            "touch",
            [
                "column 'other': -5.5 went in, -4.5 came back",
                "a column that it does not name",
            ],
        ),
        ("trap", ["ended early", "as it was told"]),
        (
            "undeclared",
            ["gave column 'else'", "which it does not declare"],
        ),
    ] {
        let reason = refused(&bench, sample(what));
        for words in expected {
            assert!(reason.contains(words), "{what}: {reason}");
        }
        assert!(
            !reason.contains('\n') && reason.len() < 1000,
            "{what}: {reason}"
        );
    }
}

#[test]
fn a_sample_must_fit_the_transform() {
    let bench = Bench::new();
    let mut lacking = sample("double");
    lacking.columns.remove(0);
    let told = refused(&bench, lacking);
    assert!(
        told.contains("needs column 'x' (floats), which is not there"),
        "{told}"
    );
    let mut other = sample("double");
    other.columns[0].values = Values::Integers((0..40).collect());
    let told = refused(&bench, other);
    assert!(
        told.contains("needs column 'x' as floats, not as integers"),
        "{told}"
    );
}

#[test]
fn a_trial_is_bounded_and_only_transforms_have_one() {
    let bench = Bench::with_limits(Limits {
        admission_seconds: 1,
        ..Limits::default()
    });
    let reason = refused(&bench, sample("loop"));
    assert!(
        reason.contains("limit admission_seconds allows 1"),
        "{reason}"
    );

    let bench = Bench::with_limits(Limits {
        transform_memory_bytes: 32 << 20,
        ..Limits::default()
    });
    let reason = refused(&bench, sample("hoard"));
    assert!(reason.contains("limit transform_memory_bytes"), "{reason}");

    let stage = bench.blobs.insert(guest("train"));
    for (digest, words) in [
        (stage, "does not fit a user transform"),
        (Digest::of(b"gone"), "neither embedded nor in the store"),
        (
            bench.blobs.insert(b"no component"),
            "not a WebAssembly component",
        ),
    ] {
        let admitted = bench.wait(bench.executor.admit_transform(&digest, None));
        let error = admitted.unwrap_err();
        assert!(matches!(error, NotAdmitted::Load(_)), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}
