//! A guest that no test runs proves nothing: every behaviour is asked for somewhere.

use std::{collections::BTreeSet, fs, path::Path};

use crate::support::guests::{GUESTS, workspace};

fn sources(folder: &Path) -> Vec<String> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources.extend(self::sources(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            sources.push(fs::read_to_string(path).unwrap());
        }
    }
    sources
}

#[test]
fn every_guest_is_listed() {
    let folder = workspace().join("tests/fixtures/guests/examples");
    let mut found: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".rs").map(str::to_owned)
        })
        .collect();
    found.sort();
    assert_eq!(found, GUESTS);
}

#[test]
fn every_behaviour_is_run() {
    let guests = sources(&workspace().join("tests/fixtures/guests/examples")).concat();
    let behaviours: BTreeSet<&str> = guests
        .lines()
        .filter_map(|line| {
            let (name, _) = line.trim().strip_prefix('"')?.split_once("\" => ")?;
            Some(name)
        })
        .collect();
    assert!(behaviours.len() > 50);
    let folders = ["tests/stage", "tests/sandbox", "tests/transform"];
    let tests: String = folders
        .iter()
        .map(|folder| sources(&workspace().join(folder)).concat())
        .collect();
    for name in behaviours {
        assert!(
            tests.contains(&format!("\"{name}\"")),
            "no test runs '{name}'"
        );
    }
}
