//! The whole pipeline on the real Spin: what it gives, what it refuses, and that it outlives a kill.

use std::{fs, time::Duration};

use serde_json::{Value, json};

use super::{
    oracles::{run, workspace},
    pipeline::{DATA, RUN, ours, over, same, stored, whole_pipeline, wish},
};
use crate::support::{
    registry::Registry,
    septet::{Workplace, binary, demo},
    spin::{Asked as _, Project},
};

/// What was being done when Spin was killed comes back after so long (the gateway's lease).
const LEASE: Duration = Duration::from_secs(10);

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

#[test]
fn the_pipeline_gives_on_spin_what_it_gives_here() {
    let place = Workplace::new();
    let Some(project) = project(&place, |manifest| manifest) else {
        return;
    };
    let expected = ours(&place);
    let app = project.up("spin.toml", &place.path("state"), &[]);
    whole_pipeline(&app, &expected);
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
