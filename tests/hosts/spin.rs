//! spin.toml, and the components that `septet spin compose` makes for it: they need nothing that Spin 4
//! lacks and nothing that the manifest does not grant, and the stages within are the embedded ones.

use std::{collections::BTreeSet, fs, process::Command};

use septet::{components::EMBEDDED, contract::Stage};
use wit_component::DecodedWasm;

use super::{
    call::{fresh, succeed},
    oracles::workspace,
};

/// What Spin 3 and 4 offer a component that exports WASI 0.2's HTTP handler.
const OFFERED: [(&str, &str); 10] = [
    ("wasi:cli/", "0.2."),
    ("wasi:clocks/", "0.2."),
    ("wasi:filesystem/", "0.2."),
    ("wasi:http/", "0.2."),
    ("wasi:io/", "0.2."),
    ("wasi:random/", "0.2."),
    ("wasi:sockets/", "0.2."),
    ("wasi:keyvalue/", "0.2.0-draft2"),
    ("fermyon:spin/variables", "2."),
    ("septet:", "0.1."),
];

/// What the manifest grants, and the interface that it is granted for.
const GRANTED: [(&str, &str); 3] = [
    ("key_value_stores", "wasi:keyvalue/store"),
    ("variables", "fermyon:spin/variables"),
    ("allowed_outbound_hosts", "wasi:http/outgoing-handler"),
];

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
    let folder = fresh();
    let apps = folder.path().join("spin");
    let mut septet = Command::new(env!("CARGO_BIN_EXE_septet"));
    succeed(septet.args(["spin", "compose", "--out"]).arg(&apps));
    let manifest = manifest();
    assert_eq!(manifest["spin_manifest_version"].as_integer(), Some(2));
    let components = manifest["component"].as_table().unwrap();
    let triggers = manifest["trigger"]["http"].as_array().unwrap().iter();
    let triggered = triggers.map(|trigger| trigger["component"].as_str().unwrap());
    let triggered: BTreeSet<_> = triggered.collect();
    assert_eq!(triggered, components.keys().map(String::as_str).collect());

    for (name, component) in components {
        let source = component["source"].as_str().unwrap();
        assert_eq!(source, format!("target/spin/{name}.wasm"));
        let command = component["build"]["command"].as_str().unwrap();
        assert!(command.ends_with(&format!("spin compose {name}")));
        let app = fs::read(apps.join(format!("{name}.wasm"))).unwrap();
        let imports = imports(&app);
        for (import, functions) in &imports {
            let (interface, version) = import.split_once('@').unwrap();
            let offered = OFFERED
                .iter()
                .find(|(offered, _)| interface.starts_with(offered))
                .unwrap_or_else(|| panic!("{name} imports {import}, which Spin has not"));
            assert!(version.starts_with(offered.1), "{import}");
            // Ours are types alone: those need nothing of a host.
            assert!(!interface.starts_with("septet:") || !functions, "{import}");
        }
        // What is granted is used, and what is used is granted; nothing else is even named.
        let named = component.as_table().unwrap().keys().map(String::as_str);
        let mut named: BTreeSet<&str> = named.collect();
        for (grant, interface) in GRANTED {
            let imported = imports
                .iter()
                .any(|(import, _)| import.starts_with(interface));
            assert_eq!(named.remove(grant), imported, "{name}: {grant}");
        }
        assert_eq!(named, BTreeSet::from(["build", "source"]), "{name}");
        // The stage within is the embedded one, byte for byte.
        if let Ok(stage) = name.parse::<Stage>() {
            let mut embedded = EMBEDDED.iter();
            let (_, bytes) = embedded.find(|(embedded, _)| *embedded == stage).unwrap();
            let within = |window: &[u8]| window == *bytes;
            assert!(app.windows(bytes.len()).any(within), "{stage}");
        }
    }
}
