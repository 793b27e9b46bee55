//! A `septet work` or `septet serve` that goes on until it is killed, and what is in its store.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use septet::contract::Digest;
use serde_json::Value;

use crate::support::septet::{Ran, Workplace, demo};

/// Settings with which a killed process's work is taken up soon, and no number of kills is too many.
pub(super) const IMPATIENT: &str = "
[work]
lease = \"400ms\"
recover = \"300ms\"
deliveries = 100000
failures = 1000
backoff = \"10ms\"
longest_backoff = \"200ms\"

[http]
listen = \"127.0.0.1:0\"
";

/// A process of the binary that goes on.
pub(crate) struct Process {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts it; `failpoint` is where it is to end itself.
    pub(super) fn start(place: &Workplace, arguments: &[&str], failpoint: Option<&str>) -> Self {
        let mut command = place.command(arguments);
        if let Some(failpoint) = failpoint {
            command.env("SEPTET_FAILPOINT", failpoint);
        }
        Self::spawn(command)
    }

    /// Starts what is ready to run.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().map(BufReader::new);
        Self { child, stdout }
    }

    /// Waits for the line that says it works; none where it ended before.
    pub(crate) fn ready(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        (read > 0).then_some(line)
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Sends it a signal by name, as `TERM`.
    pub(super) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let mut kill = std::process::Command::new("kill");
        kill.args(["-s", name, &id]);
        assert!(kill.status().unwrap().success());
    }

    /// Waits until it ends by itself; none where it does not in time.
    pub(crate) fn wait(&mut self, most: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + most;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// What it wrote on standard error, once it has ended.
    pub(crate) fn stderr(mut self) -> String {
        let mut text = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        std::io::Read::read_to_string(&mut stderr, &mut text).unwrap();
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with data and impatient settings.
pub(super) fn place() -> Workplace {
    let place = Workplace::new();
    std::fs::copy(demo("penguins.csv"), place.path("penguins.csv")).unwrap();
    place.write("septet.toml", IMPATIENT);
    place
}

/// Puts a run into the queues; gives its identifier.
pub(super) fn queue(place: &Workplace, seed: usize) -> String {
    queue_with(seed, 20, |arguments| place.septet(arguments))
}

/// The same, with as many trees, by whatever runs the command.
pub(crate) fn queue_with(seed: usize, trees: usize, septet: impl Fn(&[&str]) -> Ran) -> String {
    let (seed, trees) = (seed.to_string(), format!("n_estimators={trees}"));
    let run = [
        "run",
        "penguins.csv",
        "--target",
        "sex",
        "--detach",
        "--json",
    ];
    let forest = [
        "--seed",
        &seed,
        "--algorithm",
        "random-forest",
        "--param",
        &trees,
    ];
    let queued = septet(&[&run[..], &forest[..]].concat()).json();
    queued["run"].as_str().unwrap().to_owned()
}

/// Works until nothing is left to do.
pub(super) fn work_off(place: &Workplace) {
    place.septet(&["work", "--until-empty"]).ok();
}

/// The digest of the bundle that each run made, by run.
pub(super) fn bundles(place: &Workplace, runs: &[String]) -> BTreeMap<String, String> {
    let bundle = |run: &String| {
        let shown = place.septet(&["runs", "show", run, "--json"]).json();
        assert_eq!(shown["status"], "done", "{shown}");
        let stages = shown["stages"].as_array().unwrap();
        let train = stages
            .iter()
            .find(|stage| stage["stage"] == "train")
            .unwrap();
        let outputs = train["outputs"].as_array().unwrap();
        let bundle = outputs.iter().find(|output| output["name"] == "bundle");
        let digest = bundle.unwrap()["digest"].as_str().unwrap().to_owned();
        (run.clone(), digest)
    };
    runs.iter().map(bundle).collect()
}

/// Each blob has the digest that is its name, nothing is unfinished, no queue holds work.
pub(super) fn assert_whole(place: &Workplace) {
    let blobs = place.path(".septet/blobs");
    for folder in std::fs::read_dir(blobs).unwrap().map(Result::unwrap) {
        let first = folder.file_name().into_string().unwrap();
        for file in std::fs::read_dir(folder.path())
            .unwrap()
            .map(Result::unwrap)
        {
            let rest = file.file_name().into_string().unwrap();
            let bytes = std::fs::read(file.path()).unwrap();
            assert_eq!(Digest::of(&bytes).to_string(), format!("{first}{rest}"));
        }
    }
    let database = rusqlite::Connection::open(place.path(".septet/septet.db")).unwrap();
    let sound: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
    let left = rows(
        &database,
        "SELECT queue || ' ' || id FROM messages WHERE queue <> 'alerts'",
    );
    assert!(left.is_empty(), "{left:?}");
    let left = rows(
        &database,
        "SELECT key FROM records WHERE key LIKE 'active/%'",
    );
    assert!(left.is_empty(), "{left:?}");
}

/// The keys of all records that begin so.
pub(super) fn keys(place: &Workplace, prefix: &str) -> Vec<String> {
    let database = rusqlite::Connection::open(place.path(".septet/septet.db")).unwrap();
    rows(
        &database,
        &format!("SELECT key FROM records WHERE key LIKE '{prefix}%'"),
    )
}

fn rows(database: &rusqlite::Connection, sql: &str) -> Vec<String> {
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// The commits of a store, as their records have them.
pub(super) fn commits(store: &Path) -> Vec<Value> {
    let database = rusqlite::Connection::open(store.join("septet.db")).unwrap();
    let sql = "SELECT CAST(value AS TEXT) FROM records WHERE key LIKE 'commits/%'";
    let commits = rows(&database, sql);
    let read = |text: &String| serde_json::from_str(text).unwrap();
    commits.iter().map(read).collect()
}

/// The versions of the one model.
pub(super) fn versions(place: &Workplace) -> BTreeSet<String> {
    let shown = place
        .septet(&["models", "show", "penguins", "--json"])
        .json();
    let versions = shown["versions"].as_array().unwrap().iter();
    let bundles: Vec<_> = versions
        .map(|version| version["digest"].as_str().unwrap().to_owned())
        .collect();
    let distinct: BTreeSet<_> = bundles.iter().cloned().collect();
    assert_eq!(distinct.len(), bundles.len(), "a bundle is two versions");
    distinct
}
