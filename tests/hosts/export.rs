//! `septet stages export`: what is written is what runs, and what is there is not written over.

use std::fs;

use septet::{components::EMBEDDED, contract::Digest};
use serde_json::json;

use super::oracles::workspace;
use crate::support::septet::Workplace;

#[test]
fn the_components_are_written_as_files() {
    let place = Workplace::new();
    let listed = place.septet(&["stages", "export"]).ok().stdout;
    assert_eq!(listed.lines().count(), EMBEDDED.len());
    for (stage, bytes) in EMBEDDED {
        let written = fs::read(place.path(&format!("stages/{stage}.wasm"))).unwrap();
        assert_eq!(written, bytes);
        // As `sha256sum --check` reads it.
        let line = format!("{}  stages/{stage}.wasm", Digest::of(bytes));
        assert!(listed.lines().any(|listed| listed == line), "{listed}");
    }

    // Again is no harm; another's file is not touched.
    place.septet(&["stages", "export"]).ok();
    place.write("stages/infer.wasm", "mine");
    let told = place
        .septet(&["stages", "export", "train", "infer"])
        .refused();
    assert!(
        told.contains("infer.wasm") && told.contains("another folder"),
        "{told}"
    );
    assert_eq!(fs::read(place.path("stages/infer.wasm")).unwrap(), b"mine");

    let one = ["stages", "export", "train", "--out", "one", "--json"];
    let one = place.septet(&one).json();
    assert_eq!(one["stages"][0]["stage"], json!("train"));
    assert_eq!(one["stages"].as_array().unwrap().len(), 1);
    assert_eq!(fs::read_dir(place.path("one")).unwrap().count(), 1);
}

#[test]
fn the_hosts_are_under_150_lines() {
    for file in ["python-host/septet_host.py", "node-host/septet_host.mjs"] {
        let text = fs::read_to_string(workspace().join("examples").join(file)).unwrap();
        let lines = text.lines().count();
        assert!(lines < 150, "{file} has {lines}");
    }
}
