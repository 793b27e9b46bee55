//! Equal sources give equal components, wherever and whenever they are built.
//!
//! A digest names a component in grants, in the ledger and in lineage, so a build in another
//! folder must not change it. The components embedded in this very binary are the first build; the
//! second is a clean one of a copy of the workspace in another folder with a target folder of its
//! own. It is the suite's slowest test, and one more clean build would show nothing else.

use std::{fs, path::Path};

use septet::{components::EMBEDDED, contract::Digest};

use super::guests;
use crate::hosts::oracles::workspace;

#[test]
fn a_clean_build_in_another_folder_gives_the_same_bytes() {
    let folder = tempfile::Builder::new()
        .prefix("reproducible-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .unwrap();
    // Another depth than the workspace's, so that no length of a path is equal by chance.
    let copy = folder.path().join("another/folder");
    copy_sources(workspace(), &copy);
    let packages = EMBEDDED.map(|(stage, _)| format!("septet-{stage}"));
    let packages = packages.each_ref().map(String::as_str);
    let built = guests::build(&copy, &copy.join("built"), &packages).unwrap();
    for ((stage, embedded), built) in EMBEDDED.iter().zip(&built) {
        assert_eq!(Digest::of(embedded), Digest::of(built), "{stage}");
        let home = workspace().to_str().unwrap();
        for path in [home, copy.to_str().unwrap()] {
            assert!(!contains(built, path), "{stage} contains {path}");
        }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// Everything that cargo needs of the workspace, without what was built or installed in it.
fn copy_sources(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let target = to.join(&name);
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), target).unwrap();
        } else if !matches!(
            name.to_str(),
            Some("target" | "dist" | "node_modules" | ".git" | ".septet")
        ) {
            copy_sources(&entry.path(), &target);
        }
    }
}
