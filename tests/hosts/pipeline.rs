//! What is asked of the pipeline on Spin, and of the same applications in our own wasmtime.

use std::{fs, time::Duration};

use septet::contract::Digest;
use serde_json::{Value, json};

use crate::support::{
    septet::{Workplace, demo},
    spin::Asked,
};

/// A run, with other tests beside it.
pub(crate) const RUN: Duration = Duration::from_mins(3);

/// The data of all of them.
pub(crate) const DATA: &str = "penguins.csv";

/// The model that all of them train.
pub(crate) const MODEL: &str = "penguins";

/// What is predicted.
pub(crate) const TARGET: &str = "species";

/// Stores bytes; gives the part of a run that they are.
pub(crate) fn stored(app: &impl Asked, bytes: &[u8]) -> Value {
    let told = app.put("/blobs", "text/csv", bytes).json(201);
    assert_eq!(told["digest"], Digest::of(bytes).to_string());
    assert_eq!(told["size"], bytes.len());
    json!({"name": DATA, "digest": told["digest"], "media_type": "text/csv"})
}

/// A run of these bytes, as a client asks for it.
pub(crate) fn wish(app: &impl Asked, bytes: &[u8], parameters: &Value) -> Value {
    json!({
        "kind": "train", "model": MODEL, "data": [stored(app, bytes)], "parameters": parameters,
    })
}

/// Whether a run came to its end.
pub(crate) fn over(run: &Value) -> bool {
    ["done", "rejected", "failed", "cancelled"].contains(&run["status"].as_str().unwrap())
}

/// Begins a run and waits until it is over.
pub(crate) fn ran(app: &impl Asked, wish: &Value) -> Value {
    let reply = app.post("/runs", wish);
    let status = reply.status;
    let told = reply.json(if status == 202 { 202 } else { 201 });
    let path = format!("/runs/{}", told["run"].as_str().unwrap());
    app.until(&path, RUN, over)
}

/// The run, and what was asked of it, in our own host.
pub(crate) fn ours(place: &Workplace) -> Value {
    fs::copy(demo(DATA), place.path(DATA)).unwrap();
    let run = place.septet(&["run", DATA, "--target", TARGET, "--name", MODEL, "--json"]);
    let run = run.json()["run"].as_str().unwrap().to_owned();
    place.septet(&["runs", "show", &run, "--json"]).json()
}

/// All that the stages gave must be what they gave in our own host, to the last byte and digit.
#[track_caller]
pub(crate) fn same(theirs: &Value, ours: &Value) {
    assert_eq!(theirs["status"], "done", "{theirs}");
    let [theirs, ours] = [theirs, ours].map(|run| run["stages"].as_array().unwrap());
    assert_eq!(theirs.len(), ours.len());
    for (theirs, ours) in theirs.iter().zip(ours) {
        for field in [
            "stage",
            "unit",
            "component",
            "status",
            "metrics",
            "notes",
            "outputs",
        ] {
            assert_eq!(theirs[field], ours[field], "{field} of {}", ours["stage"]);
        }
    }
}

/// Trains on what is no table and on the demo's data, and predicts.
pub(crate) fn whole_pipeline(app: &impl Asked, expected: &Value) {
    let parameters = &expected["request"]["parameters"];

    // A table that is none comes to nothing, says why and leaves no model.
    let poison = ran(app, &wish(app, b"species,mass\n\"Adelie,1\n", parameters));
    assert_ne!(poison["status"], "done", "{poison}");
    let reason = poison["reason"].as_str().unwrap();
    assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
    app.get(&format!("/models/{MODEL}")).error(404);

    let bytes = fs::read(demo(DATA)).unwrap();
    let run = ran(app, &wish(app, &bytes, parameters));
    same(&run, expected);
    let model = app.get(&format!("/models/{MODEL}")).json(200);
    let bundle = &model["versions"][0]["digest"];
    let bundle = app.get(&format!("/blobs/{}", bundle.as_str().unwrap()));
    assert_eq!(bundle.status, 200);
    assert_eq!(
        Digest::of(&bundle.body).to_string(),
        model["versions"][0]["digest"]
    );

    // What is in force answers, by the protocol of others.
    let penguin = [
        ("island", "BYTES", json!("Torgersen")),
        ("bill_length_mm", "FP64", json!(39.1)),
        ("bill_depth_mm", "FP64", json!(18.7)),
        ("flipper_length_mm", "INT64", json!(181)),
        ("body_mass_g", "INT64", json!(3750)),
        ("sex", "BYTES", json!("male")),
    ];
    let inputs = penguin.map(|(name, datatype, value)| {
        json!({"name": name, "shape": [1], "datatype": datatype, "data": [value]})
    });
    let path = format!("/v2/models/{MODEL}/infer");
    let told = app.post(&path, &json!({ "inputs": inputs })).json(200);
    assert_eq!(told["model_version"], "1");
    let outputs = told["outputs"].as_array().unwrap();
    assert!(
        outputs
            .iter()
            .any(|output| output["data"] == json!(["Adelie"])),
        "{told}"
    );
}
