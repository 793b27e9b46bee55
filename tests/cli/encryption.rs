//! An encrypted store through the real binary: keys, refusals, and nothing in the clear.

use std::{fmt::Write, fs, os::unix::fs::PermissionsExt, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    store::contents,
    support::septet::{Ran, Workplace},
};

/// Words of the data that must not be found in the store.
const MARKERS: [&str; 3] = ["Quaxelbrunn", "Vimpelstad", "Zornhaften"];

const RUN: [&str; 6] = ["run", "town.csv", "--target", "label", "--promote", "-vvv"];

/// Rows with the markers as a column's name and as values.
fn data() -> String {
    let [column, left, right] = MARKERS;
    let mut csv = format!("x,{column},label\n");
    for i in 0..120 {
        let place = if i % 3 == 0 { left } else { right };
        let label = if (i * 7) % 10 < 5 { "yes" } else { "no" };
        writeln!(csv, "{}.5,{place},{label}", (i * 7) % 10).unwrap();
    }
    csv
}

fn finds(path: &Path, marker: &str) -> bool {
    let marker = marker.as_bytes();
    contents(path)
        .iter()
        .any(|(_, bytes)| bytes.windows(marker.len()).any(|part| part == marker))
}

/// Neither what is printed nor what is kept may have the key, however it is written.
#[track_caller]
fn assert_unseen(key: &str, ran: &Ran, store: &Path) {
    let bytes = hex::decode(key).unwrap();
    let unpadded = STANDARD.encode(&bytes);
    for form in [key, &key.to_uppercase(), unpadded.trim_end_matches('=')] {
        assert!(!ran.stdout.contains(form) && !ran.stderr.contains(form));
        assert!(!finds(store, form));
    }
    for (path, content) in contents(store) {
        let found = content.windows(bytes.len()).any(|part| part == bytes);
        assert!(!found, "{}", path.display());
    }
}

#[test]
fn a_run_on_an_encrypted_store_leaves_nothing_in_the_clear() {
    let here = Workplace::new();
    here.write("town.csv", data());
    here.septet(&["store", "key", "--out", "store.key"]).ok();
    here.write("septet.toml", "[encryption]\nkey_file = \"store.key\"\n");
    let key = fs::read_to_string(here.path("store.key")).unwrap();
    let ran = here.septet(&RUN).ok();
    let store = here.path(".septet");
    assert_unseen(key.trim(), &ran, &store);
    for marker in MARKERS {
        assert!(!finds(&store, marker), "{marker} is in the store");
    }
    // The same run is answered from the ledger, and the model predicts.
    let again = here.septet(&[
        "run",
        "town.csv",
        "--target",
        "label",
        "--promote",
        "--json",
    ]);
    let again = again.json();
    let stages = again["stages"].as_array().unwrap();
    assert_eq!(stages[0]["cached"], true, "{again}");
    let ran = here
        .septet(&["predict", "town.csv", "--model", "town", "-vvv"])
        .ok();
    assert_eq!(ran.stdout.lines().count(), 121);
    assert_unseen(key.trim(), &ran, &store);

    // That they are found where nothing is encrypted shows that they are looked for rightly.
    here.write("septet.toml", "");
    here.septet(&[&RUN[..], &["--store", "plain"]].concat())
        .ok();
    for marker in MARKERS {
        assert!(finds(&here.path("plain"), marker), "{marker}");
    }
}

#[test]
fn a_store_is_opened_with_its_own_key_alone() {
    let here = Workplace::new();
    here.write("town.csv", data());
    let (key, other) = ("0f".repeat(32), "f0".repeat(32));
    let runs = |key: Option<&str>, store: &str| -> Ran {
        let mut command = here.command(&["runs", "--store", store, "-vvv"]);
        command.env("SEPTET_STORE_KEY", key.unwrap_or_default());
        if key.is_none() {
            command.env_remove("SEPTET_STORE_KEY");
        }
        command.output().unwrap().into()
    };
    for (store, key) in [("sealed", Some(&key)), ("plain", None)] {
        let mut command = here.command(&RUN);
        command.env("SEPTET_STORE", store);
        if let Some(key) = key {
            command.env("SEPTET_STORE_KEY", key);
        }
        Ran::from(command.output().unwrap()).ok();
    }
    // As base64, too.
    let encoded = STANDARD.encode(hex::decode(&key).unwrap());
    for key in [&key, &encoded] {
        assert!(runs(Some(key), "sealed").ok().stdout.contains("town"));
    }
    assert!(runs(None, "plain").ok().stdout.contains("town"));
    for (key, store, words) in [
        (None, "sealed", "is encrypted, and no key is set"),
        (Some(&*other), "sealed", "encrypted with another key"),
        (Some(&*key), "plain", "is not encrypted, but a key is set"),
        (Some(""), "sealed", "SEPTET_STORE_KEY is no key"),
        (Some(&other[1..]), "sealed", "SEPTET_STORE_KEY is no key"),
    ] {
        let line = runs(key, store).refused();
        assert!(line.contains(words), "{line}");
        assert!(!line.contains("f0f0"), "{line}");
    }
}

#[test]
fn a_key_is_made_for_its_owner_alone() {
    let here = Workplace::new();
    let ran = here.septet(&["store", "key", "--out", "store.key"]).ok();
    let file = here.path("store.key");
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let key = fs::read_to_string(&file).unwrap();
    assert_eq!(hex::decode(key.trim()).unwrap().len(), 32);
    assert!(ran.stdout.contains("SEPTET_STORE_KEY_FILE=store.key"));
    assert!(!ran.stdout.contains(key.trim()));

    let line = here
        .septet(&["store", "key", "--out", "store.key"])
        .refused();
    assert!(line.contains("already there"), "{line}");
    assert_eq!(fs::read_to_string(&file).unwrap(), key);
    let line = here
        .septet(&["store", "key", "--out", "no/store.key"])
        .refused();
    assert!(line.contains("can't be written"), "{line}");
    let written = here
        .septet(&["store", "key", "--out", "b.key", "--json"])
        .json();
    assert_eq!(written, serde_json::json!({ "written": "b.key" }));
    assert_ne!(fs::read_to_string(here.path("b.key")).unwrap(), key);

    // A file that others can read is not taken, and nothing is made.
    here.write("town.csv", data());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let mut command = here.command(&RUN[..4]);
    command.env("SEPTET_STORE_KEY_FILE", &file);
    let line = Ran::from(command.output().unwrap()).refused();
    assert!(line.contains("open to other users (mode 640)"), "{line}");
    assert!(!here.path(".septet").exists());
}
