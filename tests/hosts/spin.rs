//! spin.toml, and the components composed for it: they need nothing that Spin 4 lacks and nothing
//! that the manifest does not grant, and answer over HTTP what our host answers.

use std::{collections::BTreeSet, fs, process::Command};

use septet::{
    components::EMBEDDED,
    contract::{Digest, Outcome, Stage},
};
use serde_json::json;
use wit_component::DecodedWasm;

use super::{
    call::{Call, component, fresh, read, succeed},
    compose,
    equal::penguins,
    oracles::{self, target, workspace},
};

/// What Spin 3 and 4 offer a component that exports WASI 0.2's HTTP handler.
const OFFERED: [(&str, &str); 9] = [
    ("wasi:cli/", "0.2."),
    ("wasi:clocks/", "0.2."),
    ("wasi:filesystem/", "0.2."),
    ("wasi:http/types", "0.2."),
    ("wasi:io/", "0.2."),
    ("wasi:random/", "0.2."),
    ("wasi:sockets/", "0.2."),
    (KEY_VALUE, "0.2.0-draft2"),
    ("septet:", "0.1."),
];

/// The interface that the manifest's `key_value_stores` grants.
const KEY_VALUE: &str = "wasi:keyvalue/store";

fn manifest() -> toml::Table {
    let text = fs::read_to_string(workspace().join("spin.toml")).unwrap();
    text.parse().unwrap()
}

/// Names of the interfaces that a component imports, and whether each has functions.
fn imports(component: &[u8]) -> Vec<(String, bool)> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component).unwrap() else {
        panic!("not a component");
    };
    let imports = resolve.worlds[world].imports.iter();
    let named = imports.map(|(key, item)| {
        let functions = match item {
            wit_parser::WorldItem::Interface { id, .. } => {
                !resolve.interfaces[*id].functions.is_empty()
            }
            _ => true,
        };
        (resolve.name_world_key(key), functions)
    });
    named.collect()
}

#[test]
fn the_manifest_grants_what_its_components_import_and_nothing_else() {
    let manifest = manifest();
    assert_eq!(manifest["spin_manifest_version"].as_integer(), Some(2));
    let components = manifest["component"].as_table().unwrap();
    let triggered: BTreeSet<_> = manifest["trigger"]["http"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trigger| {
            let name = trigger["component"].as_str().unwrap();
            assert_eq!(trigger["route"].as_str().unwrap(), format!("/{name}/..."));
            name
        })
        .collect();
    assert_eq!(triggered, components.keys().map(String::as_str).collect());

    for (name, component) in components {
        let stage: Stage = name.parse().unwrap();
        let source = component["source"].as_str().unwrap();
        assert_eq!(source, format!("target/spin/{stage}.wasm"));
        let command = component["build"]["command"].as_str().unwrap();
        assert!(command.ends_with(&format!("--example spin-app -- {stage}")));
        // Everything else that could be granted is not even named.
        let granted: Vec<_> = component.as_table().unwrap().keys().collect();
        assert_eq!(granted, ["build", "key_value_stores", "source"]);
        assert_eq!(
            component["key_value_stores"],
            toml::Value::from(vec!["default"])
        );

        let bytes = EMBEDDED
            .iter()
            .find(|(embedded, _)| *embedded == stage)
            .unwrap()
            .1;
        let app = compose::spin_app(bytes, workspace(), target()).unwrap();
        let imports = imports(&app);
        for (import, functions) in &imports {
            let (interface, version) = import.split_once('@').unwrap();
            let offered = OFFERED
                .iter()
                .find(|(name, _)| interface.starts_with(name))
                .unwrap_or_else(|| panic!("{stage} imports {import}, which Spin has not"));
            assert!(version.starts_with(offered.1), "{import}");
            // Ours are types alone: those need nothing of a host.
            assert!(!interface.starts_with("septet:") || !functions, "{import}");
        }
        assert!(
            imports
                .iter()
                .any(|(import, _)| import.starts_with(KEY_VALUE))
        );
        // The stage within is the embedded one, byte for byte.
        assert!(
            app.windows(bytes.len()).any(|window| window == bytes),
            "{stage}"
        );
    }
}

#[test]
fn a_stage_answers_over_http_what_our_host_answers() {
    let Some(node) = oracles::node() else { return };
    let app = compose::spin_app(component(Stage::Ingest), workspace(), target()).unwrap();
    let parameters = json!({"max_quarantine": 0.2});
    let ours = Call::new(Stage::Ingest, &[penguins()], parameters.clone()).in_septet();

    let folder = fresh();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let invocation = json!({"inputs": [], "parameters": parameters, "seed": 0});
    succeed(
        Command::new("node")
            .env("SEPTET_NODE_PACKAGES", node)
            .arg(workspace().join("tests/hosts/spin_host.mjs"))
            .arg(put("app.wasm", &app))
            .arg(put("source.csv", &penguins().bytes))
            .arg(put("invocation.json", invocation.to_string().as_bytes()))
            .arg(folder.path().join("out")),
    );
    let outcome: Outcome = read(&folder.path().join("out/outcome.json"));
    assert_eq!(outcome, ours);
    for output in &outcome.outputs {
        let bytes = fs::read(folder.path().join("out").join(&output.name)).unwrap();
        assert_eq!(Digest::of(&bytes), output.digest);
    }
}
