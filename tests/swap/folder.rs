//! The watched folder, under a real server.

use std::{
    fs::{self, File},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use septet::contract::{Digest, Stage};

use super::{
    components::{builtin, same},
    refused::{history, in_force, trained},
};
use crate::support::{guests::guest, septet::Workplace};

/// A server that is stopped with the value.
struct Serving<'a> {
    place: &'a Workplace,
    child: Child,
}

impl<'a> Serving<'a> {
    fn of(place: &'a Workplace) -> Self {
        let mut command = place.command(&["serve", "--stages-folder", "stages"]);
        let child = command
            .stdout(Stdio::null())
            .stderr(File::create(place.path("log")).unwrap())
            .spawn()
            .unwrap();
        Self { place, child }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.place.path("log")).unwrap()
    }

    #[track_caller]
    fn until(&mut self, what: &str, mut ready: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !ready() {
            let late = begun.elapsed() > Duration::from_mins(1);
            let ended = self.child.try_wait().unwrap();
            assert!(!late && ended.is_none(), "{what}: {}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        let _ = kill_process(pid, Signal::TERM);
        let _ = self.child.wait();
    }
}

/// Writes a file as a careful program does.
fn put(place: &Workplace, name: &str, bytes: &[u8]) {
    let beside = place.write("stages/unfinished", bytes);
    fs::rename(beside, place.path(&format!("stages/{name}"))).unwrap();
}

#[test]
fn what_is_dropped_takes_its_stages_place() {
    let place = trained();
    place.write("septet.toml", "[http]\nlisten = \"127.0.0.1:0\"\n");
    let line = place
        .septet(&["serve", "--stages-folder", "stages"])
        .refused();
    assert!(line.contains("stages is not there"), "{line}");
    fs::create_dir(place.path("stages")).unwrap();
    let mut serving = Serving::of(&place);
    let good = same(Stage::Train, "good");
    put(&place, "train.wasm", &good);
    let now = Digest::of(&good).to_string();
    serving.until("it is in force", || in_force(&place, "train") == now);

    // What is refused is told and tried once, and what was in force still is.
    put(&place, "train.wasm", guest("train"));
    let count = || {
        history(&place)
            .iter()
            .filter(|row| row["event"] == "refused")
            .count()
    };
    serving.until("it is refused", || count() == 1);
    assert_eq!(in_force(&place, "train"), now);
    assert!(
        serving.log().contains("refused at step golden"),
        "{}",
        serving.log()
    );
    let other = same(Stage::Ingest, "other");
    put(&place, "ingest.wasm", &other);
    let ingest = Digest::of(&other).to_string();
    serving.until("another stage is swapped", || {
        in_force(&place, "ingest") == ingest
    });
    assert_eq!(count(), 1);

    // What a person has rolled back does not come back by itself, now or at the next start.
    place.septet(&["stages", "rollback", "ingest"]).ok();
    drop(serving);
    put(&place, "train.wasm", &good);
    let mut serving = Serving::of(&place);
    let more = same(Stage::Deploy, "more");
    put(&place, "deploy.wasm", &more);
    let deploy = Digest::of(&more).to_string();
    serving.until("a third stage is swapped", || {
        in_force(&place, "deploy") == deploy
    });
    let builtin = Digest::of(builtin(Stage::Ingest)).to_string();
    assert_eq!(in_force(&place, "ingest"), builtin);
    assert_eq!(in_force(&place, "train"), now);
    let swaps = history(&place)
        .iter()
        .filter(|row| row["event"] == "swapped")
        .count();
    assert_eq!(swaps, 3);
}
