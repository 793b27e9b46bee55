//! Models, each predicted by its own infer component.

use septet::{
    capability::tables::{Column, Table, Values},
    contract::{Call, Stage},
    stage::{Limits, PredictError},
};

use super::bench::{BUNDLE_TYPE, Bench, With, foreign};
use crate::support::guests::guest;

fn call(bench: &Bench, what: &str, bundle: &str) -> Call {
    let input = bench.input("bundle", bundle.as_bytes(), BUNDLE_TYPE);
    bench.call(Stage::Evaluate, what).given(vec![input])
}

fn predicted(bench: &Bench, bundle: &str) -> String {
    bench
        .outcome(call(bench, "predict", bundle))
        .notes
        .remove(0)
}

#[test]
fn inputs_and_aliases_are_predicted() {
    let bench = Bench::new();
    assert_eq!(predicted(&bench, "plus"), "[5.0, 6.0, 7.0]");

    let mut call = bench.call(Stage::Evaluate, "predict");
    call.aliases = bench.aliases(b"champion");
    let digest = septet::contract::Digest::of(b"champion").to_string();
    let executed = bench.run(call.with("digest", &digest)).unwrap();
    assert_eq!(executed.used["models"], 2);
    assert_eq!(super::bench::outcome(executed).notes, ["[9.0, 10.0, 11.0]"]);
}

#[test]
fn foreign_bundles_are_denied() {
    let bench = Bench::new();
    let foreign = foreign(&bench).to_string();
    bench.outcome(call(&bench, "predict-foreign", "plus").with("digest", &foreign));
    // An input that is no bundle is none either.
    let rows = bench.input("test", b"plus", "text/csv");
    let digest = rows.digest.to_string();
    let call = bench
        .call(Stage::Evaluate, "predict-foreign")
        .given(vec![rows]);
    bench.outcome(call.with("digest", &digest));
}

#[test]
fn a_predictor_sees_its_bundle_alone() {
    let bench = Bench::new();
    let bundle = format!("foreign {}", foreign(&bench));
    predicted(&bench, &bundle);
}

#[test]
fn refusals_and_rubbish_are_told() {
    let bench = Bench::with_limits(Limits {
        cpu_seconds: 1,
        ..Limits::default()
    });
    for (bundle, told) in [
        ("reject", "rejected: the bundle is of no use"),
        ("refuse too old", "rejected: too old"),
        (
            "drop-rows",
            "other: the model gave 1 predictions for 3 rows",
        ),
        ("loop", "other: limit cpu_seconds allows 1"),
    ] {
        let reason = bench.blamed(call(&bench, "predict", bundle));
        assert!(reason.starts_with(told), "{bundle}: {reason}");
    }
}

#[test]
fn a_model_applies_its_transforms_and_no_others() {
    let bench = Bench::new();
    let transform = bench.blobs.insert(guest("transform"));
    let bundle = format!("transform {transform}");
    let reason = bench.blamed(call(&bench, "predict", &bundle));
    assert!(reason.contains("AccessDenied"), "{reason}");

    let mut call = call(&bench, "predict", &bundle);
    call.transforms = vec![transform];
    assert_eq!(bench.outcome(call).notes, ["[2.0, 4.0, 6.0]"]);
}

#[test]
fn models_of_a_call_are_bounded() {
    let bench = Bench::with_limits(Limits {
        models: 1,
        ..Limits::default()
    });
    // One may be open, and it is the same one both times.
    assert_eq!(predicted(&bench, "plus"), "[5.0, 6.0, 7.0]");
}

#[test]
fn a_predictor_answers_again_and_again() {
    let bench = Bench::new();
    let infer = bench.blobs.insert(guest("infer"));
    let bundle = bench.input("bundle", b"plus", BUNDLE_TYPE);
    let rows = |rows: u32| Table {
        rows,
        columns: vec![Column {
            name: "x".to_owned(),
            values: Values::Floats(vec![1.0; rows as usize]),
            nulls: Vec::new(),
        }],
    };
    bench.wait(async {
        let opened = bench.executor.predictor(&infer, &bundle, &[]).await;
        let mut predictor = opened.unwrap();
        assert_eq!(predictor.signature().inputs[0].name, "x");
        for _ in 0..100 {
            let given = predictor.predict(rows(1)).await.unwrap();
            assert_eq!(given.columns[0].values, Values::Floats(vec![5.0]));
        }
        let error = predictor.predict(rows(9000)).await.unwrap_err();
        assert!(matches!(error, PredictError::Rejected(_)), "{error}");
        assert_eq!(predictor.predict(rows(2)).await.unwrap().rows, 2);
    });
}
