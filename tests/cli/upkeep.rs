//! What looks after a store: garbage collection, verification, queues and cancelled runs.

use std::{
    fs::{self, File},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use septet::contract::Digest;

use crate::support::septet::{Workplace, demo};

/// Rows of one class only: no model can be made of them, which preprocess finds out.
fn hopeless() -> String {
    let rows = (0..60).map(|row| format!("{row},{},even\n", row % 7));
    format!("id,x,label\n{}", rows.collect::<String>())
}

/// Where a blob is.
fn place(here: &Workplace, digest: &str) -> PathBuf {
    let (folder, name) = digest.split_at(2);
    here.path(".septet/blobs").join(folder).join(name)
}

#[test]
fn a_store_is_collected_and_verified() {
    let here = Workplace::new();
    fs::copy(demo("penguins.csv"), here.path("penguins.csv")).unwrap();
    here.septet(&["run", "penguins.csv", "--target", "sex"])
        .ok();

    // A blob that nobody needs, put there three days ago.
    let stray = Digest::of(b"stray").to_string();
    let file = place(&here, &stray);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, b"stray").unwrap();
    let before = SystemTime::now() - Duration::from_hours(72);
    let open = File::options().write(true).open(&file).unwrap();
    open.set_modified(before).unwrap();

    let line = here.septet(&["gc", "--grace", "1h"]).refused();
    assert!(
        line.contains("wall_seconds") && line.contains("lease") && line.contains("1h 30s"),
        "{line}"
    );
    let dry = here.septet(&["gc", "--dry-run", "--json"]).json();
    assert_eq!(dry["collected"]["blobs"], 1, "{dry}");
    assert!(file.exists());
    let wet = here.septet(&["gc", "--forget", "90d", "--json"]).json();
    assert_eq!(wet["collected"], dry["collected"]);
    assert!(!file.exists());
    let text = here.septet(&["gc"]).ok().stdout;
    assert!(text.starts_with("0 blobs (0 B) deleted\n"), "{text}");

    let verified = here.septet(&["store", "verify", "--json"]).json();
    assert_eq!(verified["whole"], true, "{verified}");
    assert_eq!(verified["verified"]["models"], 1, "{verified}");
    // Damage one blob, and take another away.
    let runs = here.septet(&["runs", "list", "--json"]).json();
    let run = runs["runs"][0]["run"].as_str().unwrap();
    let shown = here.septet(&["runs", "show", run, "--json"]).json();
    let digest = |stage: usize| {
        let digest = &shown["stages"][stage]["outputs"][0]["digest"];
        digest.as_str().unwrap().to_owned()
    };
    let (damaged, missing) = (digest(0), digest(2));
    fs::write(place(&here, &damaged), b"no table").unwrap();
    fs::remove_file(place(&here, &missing)).unwrap();
    let ran = here.septet(&["store", "verify"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("is not whole: problems found: 2"),
        "{ran:?}"
    );
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ran.stdout);
    assert!(lines[1].contains(&damaged) && lines[1].contains("is damaged"));
    assert!(lines[2].contains(&missing) && lines[2].contains("is missing"));
}

#[test]
fn what_came_to_nothing_is_looked_at_replayed_and_cancelled() {
    let here = Workplace::new();
    here.write("data.csv", hopeless());
    here.septet(&["run", "data.csv", "--target", "label"])
        .refused();
    let bare = here.septet(&["queues"]).ok().stdout;
    assert_eq!(here.septet(&["queues", "list"]).ok().stdout, bare);
    let peek = ["queues", "peek", "preprocess-poison", "--json"];
    let message = here.septet(&peek).json()["messages"][0].clone();
    let run = message["run"].as_str().unwrap();
    assert_eq!(message["stage"], "preprocess", "{message}");
    assert_eq!(message["unit"], 0, "{message}");
    let line = here.septet(&["runs", "cancel", run]).refused();
    assert!(line.contains("is rejected already"), "{line}");

    // Put back only, and ended by a person instead of by a worker.
    let replay = ["queues", "replay", "preprocess-poison", "--detach"];
    let said = here.septet(&replay).ok().stdout;
    assert!(said.starts_with("1 runs were put back"), "{said}");
    let waits = here.septet(&["queues", "peek", "preprocess", "--json"]);
    let waits = waits.json()["messages"][0].clone();
    assert_eq!(waits["run"], run, "{waits}");
    assert_eq!(waits["stage"], "preprocess", "{waits}");
    assert_eq!(waits["attempt"], 1, "{waits}");
    assert_eq!(waits["trace"], run.replace('-', ""), "{waits}");
    let text = here.septet(&["queues", "peek", "preprocess"]).ok().stdout;
    assert!(text.contains(run) && !text.contains("body"), "{text}");
    let line = here.septet(&["queues", "purge", "preprocess"]).refused();
    assert!(line.contains("septet runs cancel"), "{line}");
    let mut cancel = here.command(&["runs", "cancel", run]);
    let ran = cancel.env("USER", "ann").output().unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(said, format!("run {run} is cancelled\n"));
    let shown = here.septet(&["runs", "show", run]).ok().stdout;
    assert!(shown.contains("status   cancelled\n"), "{shown}");
    assert!(shown.contains("reason   cancelled by ann\n"), "{shown}");
    let listed = here.septet(&["runs"]).ok().stdout;
    assert!(listed.contains("cancelled"), "{listed}");
    let line = here.septet(&["runs", "cancel", run]).refused();
    assert!(line.contains("is cancelled already"), "{line}");
    let empty = here.septet(&["queues"]).ok().stdout;
    assert_eq!(empty, "all queues are empty\n");

    // A message that came to nothing can be deleted, by the old word too.
    here.septet(&["run", "data.csv", "--target", "label"])
        .refused();
    let purge = ["queues", "remove", "preprocess-poison", "--json"];
    assert_eq!(here.septet(&purge).json()["purged"], 1);
    let verified = here.septet(&["store", "verify", "--json"]).json();
    assert_eq!(verified["whole"], true, "{verified}");
}
