//! The applications of spin.toml in our own wasmtime, on doubles of Spin's key-value stores: what the
//! tests on the real Spin ask, and what can only be asked where the host is ours.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use septet::contract::Digest;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    interfaces::Served,
    oracles::{installed, venv, workspace},
    pipeline::{DATA, MODEL, TARGET, ours, over, ran, same, stored, whole_pipeline, wish},
};
use crate::{
    store::double::{Double, KINDS, Kind},
    support::{
        guests::guest,
        septet::{Workplace, demo},
        spin::Asked,
    },
    transform::rows,
};

/// Who asks from this machine, and from another.
const HERE: &str = "127.0.0.1:1234";
const ELSEWHERE: &str = "192.0.2.7:1234";

/// The key of those who have one.
const KEY: &str = "a key of a test, no secret";

fn manifest() -> String {
    fs::read_to_string(workspace().join("spin.toml")).unwrap()
}

/// The applications, composed once.
fn applications() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
        let out = folder.to_str().unwrap();
        Workplace::new()
            .septet(&["spin", "compose", "--out", out])
            .ok();
        folder
    })
}

/// The applications on a store of SQLite's kind.
fn up(manifest: &str, variables: &[(&str, &str)], client: &'static str) -> Served {
    let store = Double::new(Kind::Sqlite);
    Served::up(manifest, applications(), store, variables, client)
}

#[test]
fn the_pipeline_gives_the_same_on_every_kind_of_store() {
    let place = Workplace::new();
    let expected = ours(&place);
    for kind in KINDS {
        let store = Double::new(kind);
        let app = Served::up(&manifest(), applications(), store.clone(), &[], HERE);
        whole_pipeline(&app, &expected);
        assert!(!store.is_poisoned(), "{kind:?}");
    }
}

#[test]
fn new_rows_are_predicted_and_watched() {
    let place = Workplace::new();
    let trained = ours(&place);
    let app = up(&manifest(), &[], HERE);
    let bytes = fs::read(demo(DATA)).unwrap();
    let parameters = &trained["request"]["parameters"];
    same(&ran(&app, &wish(&app, &bytes, parameters)), &trained);

    let kilograms = fs::read(demo("penguins-2009-kg.csv")).unwrap();
    place.write(DATA, &kilograms);
    let watched = place.septet(&["monitor", DATA, "--model", MODEL, "--json"]);
    let watched: Value = serde_json::from_str(&watched.stdout).unwrap();
    let run = watched["run"].as_str().unwrap();
    let watched = place.septet(&["runs", "show", run, "--json"]).json();
    let new = |kind: &str| {
        json!({
            "kind": kind, "model": MODEL, "data": [stored(&app, &kilograms)],
            "parameters": watched["request"]["parameters"],
        })
    };
    same(&ran(&app, &new("monitor")), &watched);
    let mut predict = new("predict");
    // What is asked wrongly is the client's to mend, and begins no run.
    let runs = app.get("/runs").json(200);
    let line = app.post("/runs", &predict).error(400);
    assert!(line.contains("no stage monitor"), "{line}");
    let mut nobody = predict.clone();
    nobody["model"] = json!("nobody");
    app.post("/runs", &nobody).error(404);
    predict["parameters"]
        .as_object_mut()
        .unwrap()
        .remove("monitor");
    let mut lacking = predict.clone();
    lacking["data"][0]["digest"] = json!(Digest::of(b"nothing").to_string());
    let line = app.post("/runs", &lacking).error(400);
    assert!(line.contains("PUT them to /blobs first"), "{line}");
    assert_eq!(app.get("/runs").json(200), runs);

    let predicted = ran(&app, &predict);
    assert_eq!(predicted["stages"].as_array().unwrap().len(), 2);
    assert_eq!(
        predicted["stages"][1]["outputs"],
        watched["stages"][1]["outputs"]
    );
}

#[test]
fn who_may_ask_is_decided_by_the_key_or_the_machine() {
    // Without a key: this machine alone. With one: whoever has it, from wherever.
    up(&manifest(), &[], HERE).get("/runs").json(200);
    let other = up(&manifest(), &[], ELSEWHERE);
    let paths = ["/runs", "/v2/health/live", "/train"];
    for path in paths {
        let line = other.get(path).error(403);
        assert!(line.contains("set the variable 'key'"), "{line}");
    }
    // The header that says who asks is the host's to write.
    let forged = [("spin-client-addr", HERE)];
    other.send("GET", "/runs", &forged, b"").error(403);

    let keyed = up(&manifest(), &[("key", KEY)], ELSEWHERE);
    let bearer = |key: &str| format!("Bearer {key}");
    for path in paths {
        keyed.get(path).error(401);
        for wrong in [bearer("a key of a test, no secreT"), bearer(""), KEY.into()] {
            let line = keyed
                .send("GET", path, &[("authorization", &wrong)], b"")
                .error(401);
            assert!(!line.contains(KEY), "{line}");
        }
        let right = bearer(KEY);
        keyed
            .send("GET", path, &[("authorization", &right)], b"")
            .json(200);
    }
    let short = up(&manifest(), &[("key", "short")], HERE);
    assert!(short.get("/runs").error(500).contains("'key'"));
}

#[test]
fn a_run_with_a_key_is_worked_by_those_who_have_it() {
    let place = Workplace::new();
    let expected = ours(&place);
    let app = Keyed(up(&manifest(), &[("key", KEY)], ELSEWHERE));
    let bytes = fs::read(demo(DATA)).unwrap();
    let run = ran(
        &app,
        &wish(&app, &bytes, &expected["request"]["parameters"]),
    );
    same(&run, &expected);

    let Some(folder) = installed("triton", "hosts/triton", &["requirements.txt"], venv) else {
        return;
    };
    let columns = json!([
        ["island", "BYTES", ["Torgersen", "Biscoe"]],
        ["bill_length_mm", "FP64", [39.1, 50.0]],
        ["bill_depth_mm", "FP64", [18.7, 15.2]],
        ["flipper_length_mm", "INT64", [181, 218]],
        ["body_mass_g", "INT64", [3750, 5700]],
        ["sex", "BYTES", ["male", "male"]],
    ]);
    let mut client = Command::new(folder.join("bin/python"))
        .arg(workspace().join("tests/hosts/triton/client.py"))
        .args([&app.address().to_string(), MODEL, KEY])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = client.stdin.take().unwrap();
    stdin.write_all(columns.to_string().as_bytes()).unwrap();
    drop(stdin);
    let told = client.wait_with_output().unwrap();
    assert!(told.status.success());
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told, json!({"prediction": ["Adelie", "Gentoo"]}));
}

/// An application that is asked with the key.
struct Keyed(Served);

impl Asked for Keyed {
    fn address(&self) -> std::net::SocketAddr {
        self.0.address()
    }

    fn log(&self) -> String {
        self.0.log()
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> crate::serve::client::Reply {
        let key = format!("Bearer {KEY}");
        let headers = [headers, &[("authorization", key.as_str())]].concat();
        self.0.send(method, path, &headers, body)
    }
}

#[test]
fn what_is_not_granted_is_denied_and_begins_nothing() {
    let without = |word: &str| {
        // A list goes on until its bracket is closed.
        let mut left_out = false;
        let manifest = manifest();
        let kept = manifest.lines().filter(|line| {
            let begins = line.starts_with(word);
            let drop = begins || left_out;
            left_out = drop && !line.ends_with(']');
            !drop
        });
        kept.collect::<Vec<_>>().join("\n")
    };
    let no_store = up(&without("key_value_stores"), &[], HERE);
    for path in ["/runs", "/v2/health/ready"] {
        let line = no_store.get(path).error(503);
        assert!(line.contains("key_value_stores"), "{line}");
    }

    let alone = up(&without("allowed_outbound_hosts"), &[], HERE);
    let bytes = fs::read(demo(DATA)).unwrap();
    let parameters = json!({"preprocess": {"target": TARGET}});
    let wish = wish(&alone, &bytes, &parameters);
    let reply = alone.post("/runs", &wish);
    let status = reply.status;
    let line = reply.error(status);
    assert!(
        status >= 500 && line.contains("allowed_outbound_hosts"),
        "{line}"
    );
    assert_eq!(alone.get("/runs").json(200)["runs"], json!([]));
}

#[test]
fn a_transform_that_is_composed_in_is_applied() {
    let place = Workplace::new();
    let text = rows();
    place.write(DATA, &text);
    place.write("double.wasm", guest("transform"));
    let out = place.path("apps");
    let out = out.to_str().unwrap();
    let composed = place.septet(&[
        "spin",
        "compose",
        "--transform",
        "double.wasm",
        "--out",
        out,
        "--json",
    ]);
    let transforms = composed.json()["transforms"].clone();
    assert_eq!(transforms.as_array().unwrap().len(), 1);
    let words = ["run", DATA, "--target", "y", "--name", MODEL];
    let more = ["--transform", "double.wasm", "--json"];
    let expected = place.septet(&[words.as_slice(), &more].concat()).json();
    let expected = expected["run"].as_str().unwrap();
    let expected = place.septet(&["runs", "show", expected, "--json"]).json();

    let store = Double::new(Kind::Sqlite);
    let app = Served::up(&manifest(), Path::new(out), store, &[], HERE);
    let mut wish = wish(&app, text.as_bytes(), &expected["request"]["parameters"]);
    wish["transforms"] = transforms;
    same(&ran(&app, &wish), &expected);
    let inputs = json!([
        {"name": "x", "shape": [2], "datatype": "FP64", "data": [9.5, 0.5]},
        {"name": "other", "shape": [2], "datatype": "FP64", "data": [1.5, 1.5]},
    ]);
    let path = format!("/v2/models/{MODEL}/infer");
    let told = app.post(&path, &json!({ "inputs": inputs })).json(200);
    let outputs = told["outputs"].as_array().unwrap();
    let predicted = outputs
        .iter()
        .find(|output| output["name"] == "prediction")
        .unwrap();
    assert_eq!(predicted["data"], json!(["yes", "no"]));

    // Its twin: where it is not composed in, the run fails and says so.
    let without = up(&manifest(), &[], HERE);
    stored(&without, text.as_bytes());
    let run = ran(&without, &wish);
    assert!(over(&run) && run["status"] != "done", "{run}");
    let reason = run["reason"].as_str().unwrap();
    assert!(reason.contains("transform"), "{reason}");
}
