//! `septet work` as a process, runs for it, and what comes of them where nothing goes wrong.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use septet::contract::Digest;
use serde_json::Value;

use super::faults::Faults;
use crate::support::septet::{Ran, Workplace, demo};

/// Nothing here may take longer; a loaded machine is slow.
const LONGEST: Duration = Duration::from_mins(1);

/// Short times, so that a test is short too.
const SETTINGS: &str = "\
[work]
lease = \"1s\"
backoff = \"20ms\"
longest_backoff = \"500ms\"
recover = \"500ms\"
failures = 3
";

/// Waits until `ready`, which says what was there instead.
#[track_caller]
pub(crate) fn until(what: &str, mut ready: impl FnMut() -> Result<(), String>) {
    let begun = Instant::now();
    while let Err(instead) = ready() {
        assert!(begun.elapsed() < LONGEST, "{what}: {instead}");
        std::thread::sleep(Duration::from_millis(40));
    }
}

/// A folder with settings and a store in it, whose processes may have faults.
pub(crate) struct Site {
    pub(crate) place: Workplace,
    pub(crate) faults: Option<Faults>,
}

/// What is known of a run.
pub(crate) struct Seen(pub(crate) Value);

/// The digest of each output, by stage and name.
pub(crate) type Outputs = BTreeMap<(String, String), String>;

impl Site {
    /// A site without faults.
    pub(crate) fn new() -> Self {
        let place = Workplace::new();
        place.write("septet.toml", SETTINGS);
        Self {
            place,
            faults: None,
        }
    }

    /// A site whose processes can have faults; none where that can't be.
    pub(crate) fn faulty() -> Option<Self> {
        let mut site = Self::new();
        site.faults = Some(Faults::of(&site.store())?);
        Some(site)
    }

    pub(crate) fn faults(&self) -> &Faults {
        self.faults.as_ref().unwrap()
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.place.path(".septet")
    }

    /// Runs the binary, with the site's faults.
    pub(crate) fn septet(&self, arguments: &[&str]) -> Ran {
        let mut command = self.place.command(arguments);
        if let Some(faults) = &self.faults {
            command = faults.with(command);
        }
        command.output().unwrap().into()
    }

    /// Queues a run with this seed, under a model's name of its own, and gives its identifier.
    pub(crate) fn queue(&self, seed: u32, more: &[&str]) -> String {
        let data = demo("penguins.csv");
        let (seed, name) = (seed.to_string(), format!("m{seed}"));
        let mut arguments = vec!["run", data.to_str().unwrap(), "--target", "sex"];
        arguments.extend(["--detach", "--json", "--seed", &seed, "--name", &name]);
        arguments.extend(more);
        let answer = self.place.septet(&arguments);
        answer.json()["run"].as_str().unwrap().to_owned()
    }

    /// What the store says of a run. It is asked without faults.
    pub(crate) fn show(&self, run: &str) -> Seen {
        Seen(self.place.septet(&["runs", "show", run, "--json"]).json())
    }

    /// Waits until the run is done.
    #[track_caller]
    pub(crate) fn done(&self, run: &str) -> Seen {
        self.ends(run, "done")
    }

    /// Waits until the run ends so.
    #[track_caller]
    pub(crate) fn ends(&self, run: &str, status: &str) -> Seen {
        let mut last = None;
        until("the run ends", || {
            let seen = self.show(run);
            let ended = !matches!(seen.status(), "pending" | "running");
            let told = seen.0.to_string();
            last = Some(seen);
            ended.then_some(()).ok_or(told)
        });
        let seen = last.unwrap();
        assert_eq!(seen.status(), status, "{}", seen.0);
        seen
    }

    /// How many messages each queue has.
    pub(crate) fn queues(&self) -> BTreeMap<String, u64> {
        let answer = self.place.septet(&["queues", "--json"]).json();
        let queues = answer["queues"].as_array().unwrap().iter();
        let count = |queue: &Value| {
            let name = queue["queue"].as_str().unwrap().to_owned();
            (name, queue["messages"].as_u64().unwrap())
        };
        queues.map(count).collect()
    }

    /// Every blob is what its name says, and no work is left.
    #[track_caller]
    pub(crate) fn is_whole(&self) {
        let blobs = self.store().join("blobs");
        let mut count = 0;
        for folder in fs::read_dir(blobs).unwrap() {
            let folder = folder.unwrap();
            let begin = folder.file_name().into_string().unwrap();
            for file in fs::read_dir(folder.path()).unwrap() {
                let file = file.unwrap();
                let name = begin.clone() + file.file_name().to_str().unwrap();
                let digest = Digest::of(&fs::read(file.path()).unwrap());
                assert_eq!(digest.to_string(), name);
                count += 1;
            }
        }
        assert!(count > 0);
        let mut queues = self.queues();
        queues.remove("alerts");
        assert_eq!(queues, BTreeMap::new());
    }

    /// How many blobs are half-written.
    pub(crate) fn unfinished(&self) -> usize {
        fs::read_dir(self.store().join("unfinished"))
            .unwrap()
            .count()
    }

    /// The file of a blob.
    pub(crate) fn blob(&self, digest: &str) -> PathBuf {
        let (folder, name) = digest.split_at(2);
        self.store().join("blobs").join(folder).join(name)
    }

    /// `septet work` in this store.
    pub(crate) fn serve(&self, more: &[&str]) -> Server {
        let log = self.place.path("log");
        let mut arguments = vec!["work", "-vv"];
        arguments.extend(more);
        let mut command = self.place.command(&arguments);
        if let Some(faults) = &self.faults {
            command = faults.with(command);
        }
        let file = File::options().create(true).append(true).open(&log);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file.unwrap())
            .spawn()
            .unwrap();
        Server { child, log }
    }
}

impl Seen {
    pub(crate) fn status(&self) -> &str {
        self.0["status"].as_str().unwrap()
    }

    pub(crate) fn reason(&self) -> &str {
        self.0["reason"].as_str().unwrap()
    }

    pub(crate) fn stages(&self) -> impl Iterator<Item = &Value> {
        self.0["stages"].as_array().unwrap().iter()
    }

    /// The row of a stage.
    pub(crate) fn stage(&self, name: &str) -> &Value {
        self.stages().find(|row| row["stage"] == name).unwrap()
    }

    /// The most attempts that a stage took.
    pub(crate) fn attempts(&self) -> u64 {
        let attempts = self.stages().map(|row| row["attempt"].as_u64().unwrap());
        attempts.max().unwrap()
    }

    pub(crate) fn outputs(&self) -> Outputs {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut outputs = Outputs::new();
        for row in self.stages() {
            for output in row["outputs"].as_array().unwrap() {
                let key = (text(&row["stage"]), text(&output["name"]));
                outputs.insert(key, text(&output["digest"]));
            }
        }
        assert!(outputs.contains_key(&("train".to_owned(), "bundle".to_owned())));
        outputs
    }
}

/// What the runs with the seeds from 1 on give where nothing goes wrong.
pub(crate) fn undisturbed(seed: u32) -> &'static Outputs {
    static KNOWN: OnceLock<BTreeMap<u32, Outputs>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let site = Site::new();
        let runs = (1..=6).map(|seed| (seed, site.queue(seed, &[])));
        let runs: Vec<_> = runs.collect();
        site.septet(&["work", "--until-empty"]).ok();
        let outputs = runs.iter().map(|(seed, run)| {
            let seen = site.show(run);
            assert_eq!(seen.status(), "done");
            (*seed, seen.outputs())
        });
        outputs.collect()
    });
    &known[&seed]
}

/// A process that works, killed with the value.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it and those before it wrote.
    pub(crate) fn log(&self) -> String {
        read(&self.log)
    }

    /// Lines of the log with all of these words.
    pub(crate) fn lines(&self, words: &[&str]) -> Vec<String> {
        let log = self.log();
        let found = log.lines().filter(|l| words.iter().all(|w| l.contains(w)));
        found.map(str::to_owned).collect()
    }

    /// Waits until the log has a line with these words.
    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) {
        until(&format!("{words:?} is said"), || {
            if self.lines(words).is_empty() {
                return Err(self.log());
            }
            Ok(())
        });
    }

    /// Stops it as a service manager does; it must have come through without a panic.
    #[track_caller]
    pub(crate) fn stop(mut self) -> String {
        let id = Pid::from_child(&self.child);
        kill_process(id, Signal::TERM).unwrap();
        let mut status = None;
        until("the server stops", || {
            status = self.child.try_wait().unwrap();
            status.map(drop).ok_or_else(|| self.log())
        });
        let log = self.log();
        assert!(status.unwrap().success(), "{status:?}: {log}");
        for unwanted in ["panicked", "a worker broke"] {
            assert!(!log.contains(unwanted), "{log}");
        }
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(file: &Path) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()
}
