//! What is loaded, and what is refused.

use std::{
    fs,
    path::{Path, PathBuf},
};

use septet::{
    contract::{Disposition, Stage},
    stage::{Limits, LoadError},
};

use super::bench::{Bench, Options};
use crate::support::guests::guest;

fn misfit(bench: &Bench, stage: Stage, bytes: &[u8]) -> String {
    let digest = bench.blobs.insert(bytes);
    let loaded = bench.wait(bench.executor.catalog().load(stage, &digest));
    match loaded.unwrap_err() {
        error @ LoadError::Misfit { .. } => error.to_string(),
        other => panic!("{other}"),
    }
}

/// The guest with another version wherever a version stands: it is as long.
fn renamed(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let (from, to) = (from.as_bytes(), to.as_bytes());
    let mut bytes = bytes.to_vec();
    let mut found = 0;
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + from.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!(found > 0);
    bytes
}

#[test]
fn what_is_no_component_is_told() {
    let bench = Bench::new();
    let of = |bytes: &[u8]| misfit(&bench, Stage::Train, bytes);
    assert!(of(b"PK\x03\x04").contains("it is not a WebAssembly component"));
    assert!(of(b"").contains("it is not a WebAssembly component"));
    assert!(of(b"\0asm\x01\0\0\0").contains("it is a core module"));
    let reason = of(b"\0asm\x0d\0\x01\0rubbish");
    assert!(reason.contains("it is not a valid component"), "{reason}");
    assert!(!reason.contains('\n'));
    let reason = of(b"\0asm\x0d\0\x01\0");
    assert!(
        reason.contains("it does not export septet:pipeline/stage@0.1.0"),
        "{reason}"
    );
}

#[test]
fn other_versions_and_interfaces_are_told() {
    let bench = Bench::new();
    let train = guest("train");
    let of = |from, to| misfit(&bench, Stage::Train, &renamed(train, from, to));
    let reason = of("septet:capability/log@0.1.0", "septet:capability/log@0.2.0");
    assert!(
        reason.contains("it imports septet:capability/log@0.2.0, and this host has version 0.1.0"),
        "{reason}"
    );
    let reason = of(
        "septet:capability/queue@0.1.0",
        "septet:capability/bells@0.1.0",
    );
    assert!(
        reason.contains("septet:capability/bells@0.1.0, which this host does not have"),
        "{reason}"
    );
    let reason = of("septet:pipeline/stage@0.1.0", "septet:pipeline/stage@0.2.0");
    assert!(
        reason.contains("it exports septet:pipeline/stage in version 0.2.0, and this host has"),
        "{reason}"
    );
    // A function that the host does not have, under a name that it has.
    let reason = of("[method]reader.info", "[method]reader.inf0");
    assert!(reason.contains("blob-read"), "{reason}");
}

#[test]
fn a_compatible_version_is_linked() {
    let bench = Bench::new();
    let newer = renamed(
        guest("train"),
        "septet:capability/log@0.1.0",
        "septet:capability/log@0.1.9",
    );
    let newer = renamed(
        &newer,
        "septet:pipeline/stage@0.1.0",
        "septet:pipeline/stage@0.1.9",
    );
    let mut call = bench.call(Stage::Train, "progress");
    call.component = bench.blobs.insert(&newer);
    bench.outcome(call);
}

#[test]
fn check_tells_what_a_component_is() {
    let bench = Bench::new();
    let catalog = bench.executor.catalog();
    let check = |name: &str, stage| {
        bench
            .wait(catalog.check(guest(name).to_vec(), stage))
            .unwrap()
    };
    let report = check("train", Some(Stage::Train));
    assert_eq!(report.fits, [Stage::Train, Stage::Monitor]);
    assert!(report.problems.is_empty() && !report.transform);
    assert!(
        report
            .imports
            .contains(&"septet:capability/queue@0.1.0".to_owned())
    );
    assert!(
        report
            .exports
            .contains(&"septet:pipeline/stage@0.1.0".to_owned())
    );
    let report = check("evaluate", Some(Stage::Train));
    assert_eq!(report.fits, [Stage::Evaluate]);
    assert_eq!(report.problems.len(), 2, "{:?}", report.problems);
    let report = check("transform", None);
    assert!(report.transform && report.fits.is_empty() && report.problems.is_empty());
    assert!(
        report
            .imports
            .iter()
            .all(|import| import.starts_with("wasi:"))
    );
    let error = bench.wait(catalog.check(b"no".to_vec(), None)).unwrap_err();
    assert_eq!(error.to_string(), "it is not a WebAssembly component");
}

#[test]
fn a_component_that_is_nowhere_is_refused() {
    let bench = Bench::new();
    let mut call = bench.call(Stage::Train, "copy");
    call.component = septet::contract::Digest::of(b"gone");
    let told = format!("{:?}", bench.run(call).unwrap().disposition);
    assert!(told.starts_with("Rejected"), "{told}");
    assert!(told.contains("neither embedded nor in the store"), "{told}");
}

#[test]
fn embedded_components_are_warmed_and_need_no_store() {
    let bench = Bench::with(Options {
        embedded: vec![
            (Stage::Train, guest("train")),
            (Stage::Infer, guest("infer")),
        ],
        limits: Limits::default(),
        ..Options::default()
    });
    let catalog = bench.executor.catalog();
    bench.wait(catalog.warm(&Stage::ALL)).unwrap();
    let mut call = bench.call(Stage::Train, "progress");
    call.component = catalog.embedded(Stage::Train).unwrap();
    assert!(catalog.embedded(Stage::Deploy).is_none());
    let Disposition::Ok(_) = bench.run(call).unwrap().disposition else {
        panic!("it did not run");
    };
}

/// Files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn native_code_is_kept_and_made_again_when_it_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let run = || {
        let bench = Bench::with(Options {
            cache: Some(folder.path().to_owned()),
            ..Options::default()
        });
        bench.outcome(bench.call(Stage::Train, "progress"));
    };
    run();
    let kept = files(&folder.path().join("native"));
    assert_eq!(kept.len(), 1);
    let good = fs::read(&kept[0]).unwrap();
    run();
    assert_eq!(fs::read(&kept[0]).unwrap(), good);
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    fs::write(&kept[0], bad).unwrap();
    run();
    let again = fs::read(&kept[0]).unwrap();
    assert_eq!(again.len(), good.len());
    run();
}
