//! What we push other tools pull, and the reverse.

use std::{fs, io::Write as _, process::Command};

use septet::contract::{Digest, Stage};
use serde_json::{Value, json};

use super::{
    journey::septet,
    registry::{Registry, skopeo},
};
use crate::{
    hosts::oracles::run,
    support::septet::Workplace,
    swap::components::{builtin, same},
};

/// A folder as OCI lays out images, with one artifact: its files, by digest.
fn layout(place: &Workplace, config: (&str, &str), layers: &[(&str, &[u8])]) -> String {
    let folder = place.path("layout");
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let blob = |kind: &str, bytes: &[u8]| {
        let digest = Digest::of(bytes).to_string();
        fs::write(blobs.join(&digest), bytes).unwrap();
        json!({ "mediaType": kind, "digest": format!("sha256:{digest}"), "size": bytes.len() })
    };
    let layers: Vec<Value> = layers
        .iter()
        .map(|(kind, bytes)| blob(kind, bytes))
        .collect();
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2, "mediaType": kind,
        "config": blob(config.0, config.1.as_bytes()), "layers": layers,
    });
    let manifest = blob(kind, manifest.to_string().as_bytes());
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    fs::write(
        folder.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
    format!("oci:{}", folder.to_str().unwrap())
}

#[test]
fn skopeo_copies_what_we_push_and_we_pull_what_it_copies() {
    let Some(registry) = Registry::open() else {
        return;
    };
    let place = Workplace::new();
    let address = registry.at("septet/infer:1.0.0");
    let pushed = septet(&place, &["stages", "push", "infer", &address, "--json"]).json();
    let manifest = pushed["manifest"].as_str().unwrap();
    let image = |name: &str| format!("docker://{}/{name}", registry.address);
    let copy = format!("oci:{}", place.path("copy").to_str().unwrap());
    let insecure = "--src-tls-verify=false";
    skopeo(&["copy", insecure, &image("septet/infer:1.0.0"), &copy]);
    let blobs = place.path("copy/blobs/sha256");
    let digest = Digest::of(builtin(Stage::Infer)).to_string();
    assert_eq!(fs::read(blobs.join(digest)).unwrap(), builtin(Stage::Infer));
    // Another registry's copy is the same artifact, by the same digest.
    skopeo(&[
        "copy",
        "--dest-tls-verify=false",
        &copy,
        &image("mirror/infer:2"),
    ]);
    let mirrored = registry.at(&format!("mirror/infer@sha256:{manifest}"));
    septet(
        &place,
        &["stages", "pull", &mirrored, "--out", "infer.wasm"],
    )
    .ok();
    assert_eq!(
        fs::read(place.path("infer.wasm")).unwrap(),
        builtin(Stage::Infer)
    );

    // Made by nothing of ours: a manifest without annotations, a configuration with no component.
    let kind = "application/vnd.wasm.config.v0+json";
    let config = r#"{"created":"2024-09-25T12:00:00Z","architecture":"wasm","os":"wasip2"}"#;
    let bytes = same(Stage::Train, "foreign");
    let foreign = layout(&place, (kind, config), &[("application/wasm", &bytes)]);
    skopeo(&[
        "copy",
        "--dest-tls-verify=false",
        &foreign,
        &image("foreign:1"),
    ]);
    let pull = registry.at("foreign:1");
    let pulled = septet(&place, &["stages", "pull", &pull, "--json"]).json();
    assert_eq!(pulled["stage"], Value::Null);
    assert_eq!(fs::read(place.path("foreign.wasm")).unwrap(), bytes);

    // An ordinary image, and one that is nearly right.
    let image_kind = "application/vnd.oci.image.config.v1+json";
    let tar = "application/vnd.oci.image.layer.v1.tar";
    let config =
        r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let docker = layout(&place, (image_kind, config), &[(tar, b"tar")]);
    skopeo(&[
        "copy",
        "--dest-tls-verify=false",
        &docker,
        &image("image:1"),
    ]);
    let line = septet(&place, &["stages", "pull", &registry.at("image:1")]).refused();
    assert!(
        line.contains("no Wasm artifact") && line.contains(image_kind),
        "{line}"
    );
}

#[test]
fn wkg_pulls_what_we_push_and_the_reverse() {
    let Some(registry) = Registry::open() else {
        return;
    };
    if !Command::new("wkg")
        .arg("--version")
        .output()
        .is_ok_and(|ran| ran.status.success())
    {
        // Not `eprintln!`, which the test harness keeps to itself.
        let mut stderr = std::io::stderr().lock();
        writeln!(
            stderr,
            "SKIPPED: wkg, which is not on the PATH, pulls and pushes"
        )
        .unwrap();
        return;
    }
    let place = Workplace::new();
    let wkg = |arguments: &[&str]| {
        let mut tool = Command::new("wkg");
        run(tool.args(arguments).current_dir(place.path(""))).unwrap();
    };
    let host = registry.address.to_string();
    let file = place.write("other.wasm", same(Stage::Train, "wkg"));
    let file = file.to_str().unwrap();
    let ours = registry.at("septet/train:1.0.0");
    septet(
        &place,
        &["stages", "push", "train", &ours, "--component", file],
    )
    .ok();
    let image = |name: &str| format!("{host}/{name}");
    wkg(&[
        "oci",
        "pull",
        &image("septet/train:1.0.0"),
        "-o",
        "pulled.wasm",
        "--insecure",
        &host,
    ]);
    assert_eq!(
        fs::read(place.path("pulled.wasm")).unwrap(),
        fs::read(file).unwrap()
    );
    wkg(&["oci", "push", &image("theirs:1"), file, "--insecure", &host]);
    septet(&place, &["stages", "pull", &registry.at("theirs:1")]).ok();
    assert_eq!(
        fs::read(place.path("theirs.wasm")).unwrap(),
        fs::read(file).unwrap()
    );
}
