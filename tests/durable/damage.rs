//! Blobs and databases that are not whole: said at once, healed where they can be made again, and
//! no affair of other runs.

use std::fs;

use serde_json::Value;

use super::server::{Site, undisturbed, until};
use crate::support::septet::demo;

#[test]
fn a_damaged_blob_ends_its_run_at_once_and_a_rerun_heals_it() {
    let site = Site::new();
    let run = site.queue(1, &[]);
    let server = site.serve(&["--stages", "ingest,preprocess,train"]);
    until("train is done", || {
        let seen = site.show(&run);
        let done = seen
            .stages()
            .any(|r| r["stage"] == "train" && r["status"] == "ok");
        done.then_some(()).ok_or_else(|| seen.0.to_string())
    });
    server.stop();
    let seen = site.show(&run);
    let bundle = seen.outputs()[&("train".to_owned(), "bundle".to_owned())].clone();
    let file = site.blob(&bundle);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();

    let other = site.queue(2, &[]);
    let server = site.serve(&[]);
    let seen = site.ends(&run, "failed");
    let reason = seen.reason();
    assert!(reason.contains("damaged"), "{reason}");
    let (folder, name) = bundle.split_at(2);
    let named = reason.contains(&bundle) || reason.contains(&format!("{folder}/{name}"));
    assert!(named, "{reason}");
    // It does not heal by being read again.
    assert_eq!(seen.stage("evaluate")["attempt"], 1);
    assert_eq!(site.done(&other).outputs(), *undisturbed(2));
    let log = server.stop();
    assert!(log.contains("came to nothing: "), "{log}");

    // The same run again makes the blob again, and then the failed one can go on.
    let again = site.queue(1, &[]);
    site.septet(&["work", "--until-empty"]).ok();
    let seen = site.done(&again);
    assert_eq!(seen.outputs(), *undisturbed(1));
    assert_eq!(seen.stage("train")["cached"], false);
    assert_eq!(seen.stage("preprocess")["cached"], true);
    assert_eq!(site.queues()["evaluate-poison"], 1);
    site.septet(&["queues", "replay", "evaluate-poison"]).ok();
    assert_eq!(site.done(&run).status(), "done");
    site.is_whole();
}

#[test]
fn a_truncated_database_is_said_to_be_damaged() {
    let site = Site::new();
    let run = site.queue(1, &[]);
    site.septet(&["work", "--until-empty"]).ok();
    let database = site.store().join("septet.db");
    let whole = fs::read(&database).unwrap();
    let data = demo("penguins.csv");
    let data = data.to_str().unwrap();
    for length in [0, 50, 100, 4095, 4096, whole.len() / 2, whole.len() - 4096] {
        // A copy that was cut off, beside the store itself.
        let copy = Site::new();
        let blobs = copy.store().join("blobs/00");
        fs::create_dir_all(&blobs).unwrap();
        fs::create_dir_all(copy.store().join("unfinished")).unwrap();
        fs::write(copy.store().join("septet.db"), &whole[..length]).unwrap();
        for command in [
            vec!["runs", "show", &run],
            vec!["work", "--until-empty"],
            vec!["run", data, "--target", "sex"],
        ] {
            let ran = copy.septet(&command);
            assert!(!ran.stderr.contains("panicked"), "{length}: {ran:?}");
            let line = ran.stderr.lines().last().unwrap_or_default();
            let told = line.contains("damaged") && line.contains("septet.db");
            assert!(ran.code != Some(0) && told, "{length} {command:?}: {ran:?}");
        }
        // What there was to save is as it was.
        let left = fs::read(copy.store().join("septet.db")).unwrap();
        assert_eq!(left.len(), length);
    }
    let shown: Value = site.septet(&["runs", "show", &run, "--json"]).json();
    assert_eq!(shown["status"], "done");
}
