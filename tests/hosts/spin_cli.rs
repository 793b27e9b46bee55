//! The whole pipeline on the real Spin: what it gives, what it refuses, and that it outlives a kill.

use std::{fs, time::Duration};

use septet::contract::Digest;
use serde_json::{Value, json};

use super::oracles::{run, workspace};
use crate::support::{
    registry::Registry,
    septet::{Workplace, binary, demo},
    spin::{App, Project},
};

/// A run, with other tests beside it.
const RUN: Duration = Duration::from_mins(3);

/// What was being done when Spin was killed comes back after so long (the gateway's lease).
const LEASE: Duration = Duration::from_secs(10);

/// The data of all of them.
const DATA: &str = "penguins.csv";

/// The model that all of them train.
const MODEL: &str = "penguins";

/// What is predicted.
const TARGET: &str = "species";

/// Our manifest, and the composed applications that it names, in a folder of their own.
fn project(place: &Workplace, change: impl Fn(String) -> String) -> Option<Project> {
    let manifest = fs::read_to_string(workspace().join("spin.toml")).unwrap();
    let project = Project::new(&place.path(""), &change(manifest))?;
    let out = project.path("target/spin");
    place
        .septet(&["spin", "compose", "--out", out.to_str().unwrap()])
        .ok();
    Some(project)
}

/// Stores bytes; gives the part of a run that they are.
fn stored(app: &App, bytes: &[u8]) -> Value {
    let told = app.put("/blobs", "text/csv", bytes).json(201);
    assert_eq!(told["digest"], Digest::of(bytes).to_string());
    assert_eq!(told["size"], bytes.len());
    json!({"name": DATA, "digest": told["digest"], "media_type": "text/csv"})
}

/// A run of these bytes, as a client asks for it.
fn wish(app: &App, bytes: &[u8], parameters: &Value) -> Value {
    json!({
        "kind": "train", "model": MODEL, "data": [stored(app, bytes)], "parameters": parameters,
    })
}

/// Whether a run came to its end.
fn over(run: &Value) -> bool {
    ["done", "rejected", "failed", "cancelled"].contains(&run["status"].as_str().unwrap())
}

/// Begins a run and waits until it is over.
fn ran(app: &App, wish: &Value) -> Value {
    let reply = app.post("/runs", wish);
    let status = reply.status;
    let told = reply.json(if status == 202 { 202 } else { 201 });
    let path = format!("/runs/{}", told["run"].as_str().unwrap());
    app.until(&path, RUN, over)
}

/// The run, and what was asked of it, in our own host.
fn ours(place: &Workplace) -> Value {
    fs::copy(demo(DATA), place.path(DATA)).unwrap();
    let run = place.septet(&["run", DATA, "--target", TARGET, "--name", MODEL, "--json"]);
    let run = run.json()["run"].as_str().unwrap().to_owned();
    place.septet(&["runs", "show", &run, "--json"]).json()
}

/// All that the stages gave must be what they gave in our own host, to the last byte and digit.
#[track_caller]
fn same(theirs: &Value, ours: &Value) {
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

#[test]
fn the_pipeline_gives_on_spin_what_it_gives_here() {
    let place = Workplace::new();
    let Some(project) = project(&place, |manifest| manifest) else {
        return;
    };
    let expected = ours(&place);
    let parameters = &expected["request"]["parameters"];
    let app = project.up("spin.toml", &place.path("state"), &[]);

    // A table that is none comes to nothing, says why and leaves no model.
    let poison = ran(&app, &wish(&app, b"species,mass\n\"Adelie,1\n", parameters));
    assert_ne!(poison["status"], "done", "{poison}");
    let reason = poison["reason"].as_str().unwrap();
    assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
    app.get(&format!("/models/{MODEL}")).error(404);

    let bytes = fs::read(demo(DATA)).unwrap();
    let run = ran(&app, &wish(&app, &bytes, parameters));
    same(&run, &expected);
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

#[test]
fn spin_that_is_killed_loses_nothing() {
    let place = Workplace::new();
    let Some(project) = project(&place, |manifest| manifest) else {
        return;
    };
    let expected = ours(&place);
    let state = place.path("state");
    let app = project.up("spin.toml", &state, &[]);
    let bytes = fs::read(demo(DATA)).unwrap();
    let wish = wish(&app, &bytes, &expected["request"]["parameters"]);
    // Nobody hears the answer: Spin is gone by then.
    let asked = app.begin("/runs", &wish);
    let run = app.until("/runs", RUN, |told| told["runs"][0]["id"].is_string());
    let run = format!("/runs/{}", run["runs"][0]["id"].as_str().unwrap());
    // In the middle: something is committed, and not everything.
    app.until(&run, RUN, |run| {
        over(run) || run["stages"][0]["status"] == "ok"
    });
    app.kill();
    drop(asked);

    let app = project.up("spin.toml", &state, &[]);
    let swept = |run: &Value| {
        app.post("/sweep", &json!({})).json(200);
        over(run)
    };
    same(&app.until(&run, LEASE + RUN, swept), &expected);
}

#[test]
fn what_the_manifest_does_not_grant_is_denied_in_words() {
    let place = Workplace::new();
    let without = |manifest: String| {
        let granted = |line: &&str| !line.starts_with("key_value_stores");
        let lines: Vec<&str> = manifest.lines().filter(granted).collect();
        lines.join("\n")
    };
    let Some(project) = project(&place, without) else {
        return;
    };
    let app = project.up("spin.toml", &place.path("state"), &[]);
    let denied = app.put("/blobs", "text/csv", b"a,b\n1,2\n").error(503);
    assert!(denied.contains("key_value_stores"), "{denied}");
}

#[test]
fn spin_builds_pushes_and_runs_from_a_registry() {
    let place = Workplace::new();
    // The command that the manifest runs, without building it again.
    let installed = |manifest: String| {
        let septet = binary().display().to_string();
        let changed = manifest.replace("cargo run --release --quiet --", &septet);
        assert_ne!(changed, manifest);
        changed
    };
    let manifest = fs::read_to_string(workspace().join("spin.toml")).unwrap();
    let Some(project) = Project::new(&place.path(""), &installed(manifest)) else {
        return;
    };
    let Some(registry) = Registry::start() else {
        return;
    };
    run(&mut project.command(&["build"])).unwrap();
    let reference = format!("{}/septet:test", registry.address);
    run(&mut project.command(&["registry", "push", "--insecure", &reference])).unwrap();
    let app = project.up(&reference, &place.path("state"), &["--insecure"]);
    stored(&app, b"a,b\n1,2\n");
}
