//! Who may name whom, which component may import what, and how long a file may be.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use septet::components::EMBEDDED;
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldItem, WorldKey};

use super::guests;
use crate::hosts::oracles::{target, workspace};

/// Files below a folder of the workspace with this ending, without what was built or installed.
fn files(folder: &str, ending: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !matches!(name, "target" | "node_modules" | "dist") && !name.starts_with('.') {
                    walk(&path, ending, found);
                }
            } else if name.ends_with(ending) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&workspace().join(folder), ending, &mut found);
    found.sort();
    found
}

/// Fails with every line of code that has one of the `words`. Comments may say what code may not.
#[track_caller]
fn forbid(files: &[(PathBuf, String)], words: &[&str], rule: &str) {
    let broken: Vec<_> = files
        .iter()
        .flat_map(|(path, text)| {
            text.lines()
                .zip(1..)
                .map(move |(line, number)| (path, line, number))
        })
        .filter(|(_, line, _)| !line.trim_start().starts_with("//"))
        .filter(|(_, line, _)| {
            // The contract's own package `septet:pipeline`, in generated paths.
            let line = line.replace("septet::pipeline::", "");
            words.iter().any(|word| line.contains(word))
        })
        .map(|(path, line, number)| format!("{}:{number}: {}", path.display(), line.trim()))
        .collect();
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

#[test]
fn a_capability_names_neither_a_trigger_nor_the_pipeline() {
    forbid(
        &files("host/src/capability", ".rs"),
        &[
            "trigger::",
            "pipeline::",
            "crate::trigger",
            "crate::pipeline",
        ],
        "a capability stands on the store alone",
    );
}

#[test]
fn only_config_reads_the_environment() {
    let mut sources = files("host/src", ".rs");
    sources.retain(|(path, _)| {
        let path = path.strip_prefix(workspace().join("host/src")).unwrap();
        path != Path::new("config.rs") && !path.starts_with("config")
    });
    sources.extend(files("host/core/src", ".rs"));
    // `env!` is the compiler's environment, not the user's.
    forbid(
        &sources,
        &[
            "env::args",
            "env::var",
            "env::vars",
            "env::set_var",
            "env::home_dir",
        ],
        "ask config.rs",
    );
}

#[test]
fn azure_types_stay_where_azure_is() {
    let mut sources = files("host/src", ".rs");
    sources.retain(|(path, _)| {
        let mut parts = path
            .components()
            .filter_map(|part| part.as_os_str().to_str());
        !parts.any(|part| part.starts_with("azure"))
    });
    // What is typed and set names everything there is, and the two join it.
    sources.retain(|(path, _)| {
        let path = path.strip_prefix(workspace().join("host/src")).unwrap();
        !path.starts_with("cli") && !path.starts_with("config") && path != Path::new("config.rs")
    });
    forbid(
        &sources,
        &["azure::", "Azure"],
        "only azure folders and files know Azure",
    );
}

#[test]
fn the_core_knows_no_backend_and_nothing_of_an_operating_system() {
    forbid(
        &files("host/core/src", ".rs"),
        &[
            "wasmtime",
            "azure",
            "Azure",
            "std::fs",
            "std::net",
            "std::process::Command",
            "tokio::fs",
            "tokio::net",
            "tokio::process",
        ],
        "the core is the same on every host",
    );
}

#[test]
fn components_do_not_depend_on_the_host_and_only_spin_uses_its_sdk() {
    for (path, text) in files("components", "Cargo.toml") {
        let manifest: toml::Table = text.parse().unwrap();
        let spin = path
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("spin-");
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = manifest.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            for name in dependencies.keys() {
                assert_ne!(name, "septet", "{}", path.display());
                assert!(spin || name != "spin-sdk", "{}", path.display());
            }
        }
    }
    let (_, host) = files("host", "Cargo.toml").remove(0);
    assert!(
        !host.contains("spin-sdk"),
        "only components/spin-* use spin-sdk"
    );
}

#[test]
fn no_file_is_over_500_lines() {
    let long: Vec<_> = [
        "host",
        "components",
        "tests",
        "wit",
        "scripts",
        "examples",
        "python",
    ]
    .iter()
    .flat_map(|folder| {
        ["rs", "py", "mjs", "wit"].map(|ending| files(folder, &format!(".{ending}")))
    })
    .flatten()
    .filter(|(_, text)| text.lines().count() > 500)
    .map(|(path, text)| format!("{}: {}", path.display(), text.lines().count()))
    .collect();
    assert!(
        long.is_empty(),
        "one noun a file, at most 500 lines:\n{}",
        long.join("\n")
    );
}

/// The table of worlds and capabilities in ARCHITECTURE.md.
fn granted(architecture: &str) -> BTreeMap<String, BTreeSet<String>> {
    architecture
        .lines()
        .skip_while(|line| !line.starts_with("| world | capabilities |"))
        .skip(2)
        .map_while(|line| {
            line.strip_prefix("| ")?
                .strip_suffix(" |")?
                .split_once(" | ")
        })
        .map(|(world, capabilities)| {
            // What is in brackets says what for.
            let names = capabilities
                .split(", ")
                .map(|name| name.split(' ').next().unwrap());
            let names = names.filter(|name| *name != "none").map(str::to_owned);
            (world.to_owned(), names.collect())
        })
        .collect()
}

fn architecture() -> BTreeMap<String, BTreeSet<String>> {
    granted(&fs::read_to_string(workspace().join("ARCHITECTURE.md")).unwrap())
}

/// The interfaces with functions that a world imports, without those of WASI. One that has only
/// types needs nothing of a host.
fn imports(resolve: &Resolve, world: wit_parser::WorldId) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (key, item) in &resolve.worlds[world].imports {
        match item {
            WorldItem::Interface { id, .. } => {
                let interface = &resolve.interfaces[*id];
                let package = interface
                    .package
                    .map(|package| &resolve.packages[package].name);
                if interface.functions.is_empty()
                    || package.is_some_and(|name| name.namespace == "wasi")
                {
                    continue;
                }
                match package {
                    Some(name)
                        if (name.namespace.as_str(), name.name.as_str())
                            == ("septet", "capability") =>
                    {
                        found.insert(interface.name.clone().unwrap());
                    }
                    _ => {
                        found.insert(resolve.name_world_key(key));
                    }
                }
            }
            WorldItem::Function(function) => {
                found.insert(function.name.clone());
            }
            WorldItem::Type { .. } => {
                let WorldKey::Name(_) = key else {
                    unreachable!("a type is imported by name")
                };
            }
        }
    }
    found
}

/// What a component imports.
pub(crate) fn imports_of(component: &[u8]) -> BTreeSet<String> {
    match wit_component::decode(component).unwrap() {
        DecodedWasm::Component(resolve, world) => imports(&resolve, world),
        DecodedWasm::WitPackage(..) => panic!("a package of types, not a component"),
    }
}

#[test]
fn worlds_import_exactly_what_the_table_says() {
    let mut resolve = Resolve::default();
    resolve.push_dir(workspace().join("wit")).unwrap();
    let worlds: BTreeMap<_, _> = resolve
        .worlds
        .iter()
        .filter(|(_, world)| {
            let name = &resolve.packages[world.package.unwrap()].name.name;
            name == "pipeline" || name == "transform"
        })
        .map(|(id, world)| {
            (
                world.name.replace("user-transform", "user transform"),
                imports(&resolve, id),
            )
        })
        .collect();
    assert_eq!(worlds, architecture());
    assert!(worlds["user transform"].is_empty());
}

#[test]
fn components_import_no_more_than_the_table_says() {
    let table = architecture();
    assert_eq!(table.len(), EMBEDDED.len() + 1);
    for (stage, component) in EMBEDDED {
        let imported = imports_of(component);
        let granted = &table[stage.name()];
        assert!(
            imported.is_subset(granted),
            "{stage} imports {imported:?}: granted are {granted:?}"
        );
    }
    let transform = guests::build(
        workspace(),
        &target().join("components"),
        &["septet-fixture-transform"],
    );
    assert_eq!(imports_of(&transform.unwrap()[0]), BTreeSet::new());
}

#[test]
fn the_table_is_read_as_it_is_written() {
    let text = "\n| world | capabilities |\n|---|---|\n| train | blob-read, queue (fan-out), log |\n| user transform | none |\n\n| a | b |\n";
    let table = granted(text);
    assert_eq!(table.len(), 2);
    assert_eq!(
        table["train"],
        ["blob-read", "log", "queue"].map(str::to_owned).into()
    );
    assert!(table["user transform"].is_empty());
}
