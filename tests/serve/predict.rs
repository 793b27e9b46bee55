//! Rows to predictions at once: the values of `septet predict`, by the model of now.

use std::{
    fs,
    time::{Duration, Instant},
};

use septet::{
    components::EMBEDDED,
    contract::{Digest, Stage},
    pipeline::registry::{Registered, Registration},
    trigger::http::HttpSettings,
};
use serde_json::{Map, Value, json};

use super::served::Served;
use crate::support::septet::demo;

/// The demo's rows as records, without the target: numbers as numbers, what is missing as null.
fn records() -> Vec<Value> {
    let text = fs::read_to_string(demo("penguins.csv")).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let record = |line: &str| {
        let cells = names.iter().zip(line.split(','));
        let mut record = Map::new();
        for (name, cell) in cells.filter(|(name, _)| **name != "species") {
            if matches!(cell, "" | "NA") {
                record.insert((*name).to_owned(), Value::Null);
                continue;
            }
            let number = serde_json::from_str::<Value>(cell)
                .ok()
                .filter(Value::is_number);
            record.insert((*name).to_owned(), number.unwrap_or_else(|| cell.into()));
        }
        Value::Object(record)
    };
    lines.map(record).collect()
}

#[test]
fn predictions_are_those_of_the_command_line() {
    let served = Served::new();
    served.train("penguins", "logistic-regression");
    let records = records();
    let body = json!({ "records": records });
    let answer = served.client.post("/predict/penguins", &body).json(200);
    assert_eq!(
        (&answer["model"], &answer["version"]),
        (&json!("penguins"), &json!(1))
    );
    assert!(answer.get("notice").is_none());
    let predictions = answer["predictions"].as_array().unwrap();

    let data = demo("penguins.csv");
    let predicted = served.workplace.septet(&[
        "predict",
        data.to_str().unwrap(),
        "--model",
        "penguins",
        "--format",
        "jsonl",
    ]);
    let lines = predicted.ok().stdout;
    let expected: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(predictions.len(), records.len());
    assert_eq!(predictions.len(), expected.len());
    for (row, (given, expected)) in predictions.iter().zip(&expected).enumerate() {
        let given = given.as_object().unwrap();
        assert_eq!(given.len(), 4, "{given:?}");
        for (name, value) in given {
            assert_eq!(*value, expected[name], "row {row}, {name}");
        }
    }
    // The same rows one by one, by each way to name the version, in a bare list.
    for (row, model) in ["penguins@champion", "penguins@1", "penguins@v1"]
        .into_iter()
        .enumerate()
    {
        let body = json!([records[row * 50]]);
        let answer = served
            .client
            .post(&format!("/predict/{model}"), &body)
            .json(200);
        assert_eq!(answer["predictions"][0], predictions[row * 50]);
    }
}

#[test]
fn rows_that_do_not_fit_are_told() {
    let served = Served::with(HttpSettings {
        predict_rows: 400,
        ..HttpSettings::default()
    });
    let client = served.client;
    served.train("penguins", "random-forest");
    let predict = |body: &Value| client.post("/predict/penguins", body);
    let record = records().remove(0);
    let with = |name: &str, value: Value| {
        let mut record = record.clone();
        record[name] = value;
        record
    };
    for (bad, told) in [
        (with("colour", json!("red")), "no input 'colour'"),
        (with("island", json!(["x"])), "'island' is a list"),
        (
            with("bill_length_mm", json!("long")),
            "'bill_length_mm' is a text",
        ),
        (json!(3), "record 2"),
    ] {
        let error = predict(&json!([record, bad])).error(400);
        assert!(
            error.contains(told) && error.contains("record 2"),
            "{error}"
        );
    }
    predict(&json!({"rows": []})).error(400);
    assert_eq!(predict(&json!([])).json(200)["predictions"], json!([]));
    // A column that no record has is a slip; of one record it is a missing value, as null is, and
    // is filled in.
    let mut narrow = record.clone();
    narrow.as_object_mut().unwrap().remove("island");
    let error = predict(&json!([narrow, {}])).error(400);
    assert!(
        error.contains("no record has 'island'") && error.contains("null"),
        "{error}"
    );
    let empty = predict(&json!([{}, with("island", Value::Null)])).json(200);
    assert!(empty["predictions"][0]["prediction"].is_string(), "{empty}");
    let many = vec![record.clone(); 401];
    assert!(predict(&json!(many)).error(413).contains("at most 400"));
    assert_eq!(
        predict(&json!(many[1..])).json(200)["predictions"]
            .as_array()
            .unwrap()
            .len(),
        400
    );
    // Huge numbers are no reason to fail: a forest only compares.
    let huge = predict(&json!([record, with("body_mass_g", json!(1e308))])).json(200);
    assert_eq!(huge["predictions"].as_array().unwrap().len(), 2);
    let unknown = client.post("/predict/penguin", &json!([record]));
    assert!(unknown.error(404).contains("is it 'penguins'?"));
    assert!(
        client
            .post("/predict/penguins@9", &json!([]))
            .error(404)
            .contains("version 9")
    );
    assert!(
        client
            .post("/predict/penguins@shadow", &json!([]))
            .error(404)
            .contains("alias")
    );
}

#[test]
fn rows_that_have_no_prediction_do_not_spoil_the_others() {
    let served = Served::new();
    served.train_for("mass", "body_mass_g", "ridge");
    let mut records = records();
    for record in &mut records {
        record.as_object_mut().unwrap().remove("body_mass_g");
        record["species"] = Value::Null;
    }
    let predict = |records: &[Value]| {
        let body = json!({ "records": records });
        served.client.post("/predict/mass", &body)
    };
    let good = predict(&records).json(200);
    let bad = |records: &mut [Value], row: usize| {
        for name in ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"] {
            records[row][name] = json!(1e308);
        }
    };
    for row in [0, 7, 8, 150] {
        bad(&mut records, row);
    }
    let told = predict(&records).json(200);
    for row in 0..records.len() {
        let (told, good) = (&told["predictions"][row], &good["predictions"][row]);
        if [0, 7, 8, 150].contains(&row) {
            assert!(told["prediction"].is_null());
            assert!(
                told["error"].as_str().unwrap().contains("not finite"),
                "{told}"
            );
        } else {
            assert_eq!(told, good);
        }
    }
    // Where there are too many, the answer says no more than that.
    for row in 0..100 {
        bad(&mut records, row);
    }
    let error = predict(&records).error(422);
    assert!(
        error.contains("more than 64") && error.contains("record 65"),
        "{error}"
    );
    // The instance is as good as before.
    predict(&records[200..210]).json(200);
}

#[test]
fn a_moved_alias_is_followed() {
    let served = Served::with(HttpSettings {
        models: 1,
        ..HttpSettings::default()
    });
    let client = served.client;
    served.train("penguins", "random-forest");
    served.train("penguins", "decision-tree");
    let registry = served.pipeline.registry();
    let record = json!([records().remove(0)]);
    let version = || {
        let answer = client.post("/predict/penguins", &record).json(200);
        assert!(answer["predictions"][0]["prediction"].is_string());
        answer["version"].as_u64().unwrap() as u32
    };
    let move_to = |number: u32| {
        let moved = registry.promote("penguins", "champion", number, "test", "a test");
        served.wait(moved).unwrap();
    };
    let until = |number: u32| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while version() != number {
            assert!(Instant::now() < deadline, "version {number} does not serve");
        }
    };
    move_to(1);
    until(1);
    move_to(2);
    until(2);
    move_to(1);
    until(1);
    // A version goes on to be served by its number, though there is room for one model only.
    let second = client.post("/predict/penguins@2", &record).json(200);
    assert_eq!(second["version"], 2);
    until(1);

    // A version that can't be loaded does not stop the one that serves.
    let blobs = &served.pipeline.store().blobs;
    let rubbish = served.wait(blobs.put(b"no bundle")).unwrap();
    let (_, infer) = EMBEDDED
        .iter()
        .find(|(stage, _)| *stage == Stage::Infer)
        .unwrap();
    let version = Registration {
        number: 0,
        bundle: rubbish,
        bundle_size: 9,
        infer: Digest::of(infer),
        summary: "{}".to_owned(),
        run: "none".to_owned(),
        test: None,
        schema: None,
        split: None,
        tests: Vec::new(),
    };
    let state = served.wait(registry.state("penguins")).unwrap();
    let split = state.versions.last().unwrap().split.clone();
    let version = Registration {
        split: split.clone(),
        ..version
    };
    let given = split.as_ref().map(|split| &split.digest);
    let registered = served.wait(registry.register("penguins", version, given));
    assert!(matches!(registered.unwrap(), Registered::Version(3)));
    // It is told at once the second time, too.
    let first = client.post("/predict/penguins@3", &record).error(422);
    let again = client.post("/predict/penguins@3", &record).error(422);
    assert_eq!(first, again);
    move_to(3);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = client.post("/predict/penguins", &record).json(200);
        assert_eq!(answer["version"], 1);
        if let Some(notice) = answer.get("notice") {
            assert!(notice.as_str().unwrap().contains("version 3"), "{notice}");
            break;
        }
        assert!(
            Instant::now() < deadline,
            "the broken version is not noticed"
        );
    }
    // And it is left as soon as the alias points at a good one.
    move_to(2);
    until(2);
}

#[test]
fn many_clients_share_a_model() {
    let served = Served::with(HttpSettings {
        instances: 2,
        ..HttpSettings::default()
    });
    served.train("penguins", "gaussian-nb");
    let records = records();
    let expected = served
        .client
        .post("/predict/penguins", &json!(records))
        .json(200);
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (records, expected, served) = (&records, &expected, &served);
            scope.spawn(move || {
                for row in (client..records.len()).step_by(40) {
                    let body = json!([records[row]]);
                    let answer = served.client.post("/predict/penguins", &body).json(200);
                    assert_eq!(answer["predictions"][0], expected["predictions"][row]);
                }
            });
        }
    });
}
