//! Of a training, what its models predict counts, and not their bytes.

use septet::contract::Stage;
use serde_json::Value;

use super::data::{counts, data, report, shadowed};
use crate::support::septet::Workplace;

fn train(place: &Workplace, algorithm: &str, rows: usize) -> Value {
    let file = format!("{algorithm}-{rows}.csv");
    place.write(&file, data("none", rows));
    let run = ["run", &file, "--algorithm", algorithm, "--json"];
    let run = place.septet(&[&run[..], &["--drop", "id", "--drop", "mode"]].concat());
    run.json();
    report(place, Stage::Train)
}

#[test]
fn models_are_compared_by_what_they_predict() {
    let place = shadowed(Stage::Train, "");
    // Its seed is another, and so are the model's bytes; least squares have no chance in them.
    let told = train(&place, "gaussian-nb", 201);
    assert_eq!(counts(&told), [1, 0, 0, 1], "{told}");
    let told = train(&place, "random-forest", 202);
    assert_eq!(counts(&told), [1, 1, 0, 0], "{told}");
    let differences = told["compared"]["differences"].as_array().unwrap();
    let predicted = |one: &&Value| {
        let place = one["place"].as_str().unwrap();
        place.contains("predictions of bundle for the sample, row")
    };
    let first = differences.iter().find(predicted).unwrap();
    assert!(
        first["place"]
            .as_str()
            .unwrap()
            .contains("column probability_"),
        "{first}"
    );
}
