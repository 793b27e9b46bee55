//! Watched folders.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use septet::{
    contract::{Disposition, Stage},
    pipeline::{RunKind, Status},
    trigger::{Folder, FolderRule, Output, Part, Retrain},
};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::asks::{Asks, Watching, runs, until, until_runs};
use crate::store::{backends::block_on, bench::Bench, stages::Instead};

/// A watched folder over a pipeline whose clock goes on when a watcher sleeps.
struct Inbox {
    bench: Bench,
    asks: Arc<Asks>,
    folder: TempDir,
    rule: FolderRule,
}

impl Inbox {
    fn new(kind: RunKind) -> Self {
        let bench = Bench::new();
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("in");
        fs::create_dir(&path).unwrap();
        Self {
            asks: Asks::of(&bench),
            rule: FolderRule {
                path,
                kind,
                model: Some("iris".to_owned()),
                whole: false,
                pattern: None,
                settle: Duration::from_secs(2),
                output: None,
                options: Map::new(),
                retrain: None,
            },
            bench,
            folder,
        }
    }

    /// As many watchers as if so many processes served the store.
    fn watch(&self, count: usize) -> Watching {
        let mut watching = Watching::new();
        for _ in 0..count {
            let pipeline = self.bench.pipeline.clone();
            let folder = Folder::new(pipeline, self.asks.clone(), self.rule.clone());
            let stop = watching.stop();
            watching.watch(folder.watch(stop));
        }
        watching
    }

    fn path(&self, name: &str) -> PathBuf {
        self.rule.path.join(name)
    }

    /// Drops a file as a careful program does.
    fn put(&self, name: &str, text: &str) {
        let beside = self.path(&format!("{name}.part"));
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.path(name)).unwrap();
    }

    /// Waits until the watchers have looked a few times more.
    async fn looks(&self) {
        let clock = self.bench.pipeline.clock();
        let begun = clock.now();
        until(async || clock.now() >= begun + 20_000).await;
    }

    async fn work(&self) {
        for run in runs(&self.bench).await {
            self.bench.worker.drain(&run.id).await.unwrap();
        }
    }

    fn output(&self) -> PathBuf {
        self.folder.path().join("out")
    }
}

#[test]
fn one_content_is_one_run_however_many_watch() {
    let inbox = Inbox::new(RunKind::Train);
    block_on(async {
        let watching = inbox.watch(2);
        inbox.put("a.csv", "a\n1\n");
        until_runs(&inbox.bench, 1).await;
        inbox.looks().await;
        assert_eq!(runs(&inbox.bench).await.len(), 1);
        // The same name with other content, and another name with the same.
        inbox.put("a.csv", "a\n2\n");
        until_runs(&inbox.bench, 2).await;
        inbox.put("b.csv", "a\n2\n");
        until_runs(&inbox.bench, 3).await;
        // What is touched is the same.
        inbox.put("b.csv", "a\n2\n");
        inbox.looks().await;
        watching.end().await;
        assert_eq!(runs(&inbox.bench).await.len(), 3);

        // After a restart nothing is asked for again, but what was dropped meanwhile.
        let asked = inbox.asks.asked();
        let watching = inbox.watch(4);
        inbox.looks().await;
        assert_eq!(inbox.asks.asked(), asked);
        watching.end().await;
        inbox.put("c.csv", "a\n3\n");
        let watching = inbox.watch(1);
        until_runs(&inbox.bench, 4).await;
        watching.end().await;
        let run = runs(&inbox.bench).await.pop().unwrap();
        let state = inbox.bench.pipeline.state(&run.id).await.unwrap();
        let label = &state.request.sources[0].label;
        assert_eq!(Path::new(label), inbox.path("c.csv"));
        // Nothing was taken away.
        assert_eq!(fs::read_dir(&inbox.rule.path).unwrap().count(), 3);
    });
}

#[test]
fn a_folder_is_one_data_set() {
    let mut inbox = Inbox::new(RunKind::Train);
    inbox.rule.whole = true;
    block_on(async {
        for name in ["b.csv", "a.csv"] {
            inbox.put(name, &format!("a\n{name}\n"));
        }
        let watching = inbox.watch(2);
        until_runs(&inbox.bench, 1).await;
        inbox.looks().await;
        inbox.put("c.csv", "a\n3\n");
        until_runs(&inbox.bench, 2).await;
        inbox.looks().await;
        watching.end().await;
        let watching = inbox.watch(1);
        inbox.looks().await;
        watching.end().await;
        let runs = runs(&inbox.bench).await;
        assert_eq!(runs.len(), 2);
        let mut labels: Vec<Vec<String>> = Vec::new();
        for run in runs {
            let state = inbox.bench.pipeline.state(&run.id).await.unwrap();
            let names = state.request.sources.iter().map(|s| s.label.clone());
            labels.push(names.map(|n| n[n.len() - 5..].to_owned()).collect());
        }
        let expected: [Vec<String>; 2] = [
            vec!["a.csv".into(), "b.csv".into()],
            vec!["a.csv".into(), "b.csv".into(), "c.csv".into()],
        ];
        assert_eq!(labels, expected);
    });
}

#[test]
fn predictions_are_written_once() {
    let mut inbox = Inbox::new(RunKind::Predict);
    inbox.rule.output = Some(Output {
        folder: inbox.output(),
        ending: "csv".to_owned(),
    });
    block_on(async {
        inbox.bench.train(1.0).await;
        let watching = inbox.watch(2);
        inbox.put("a.csv", "a\n1\n");
        until_runs(&inbox.bench, 2).await;
        inbox.looks().await;
        assert!(!inbox.output().exists(), "nothing is written before");
        inbox.work().await;
        let written = inbox.output().join("a.csv.csv");
        until(async || written.exists()).await;
        let bytes = fs::read(&written).unwrap();
        let run = runs(&inbox.bench).await.pop().unwrap();
        let state = inbox.bench.pipeline.state(&run.id).await.unwrap();
        let output = state.output(Stage::Infer, "predictions").unwrap();
        assert_eq!(bytes.len() as u64, output.size);
        inbox.looks().await;
        assert_eq!(fs::read_dir(inbox.output()).unwrap().count(), 1);
        // Who takes it away does not get it twice, be there a restart.
        fs::remove_file(&written).unwrap();
        inbox.looks().await;
        watching.end().await;
        let watching = inbox.watch(2);
        inbox.looks().await;
        assert!(!written.exists());
        // What was done while nobody watched is written when somebody does.
        watching.end().await;
        inbox.put("a.csv", "a\n2\n");
        let watching = inbox.watch(1);
        until_runs(&inbox.bench, 3).await;
        watching.end().await;
        inbox.work().await;
        assert!(!written.exists());
        let watching = inbox.watch(1);
        until(async || written.exists()).await;
        watching.end().await;
        assert_ne!(fs::read(&written).unwrap(), bytes);
    });
}

#[test]
fn a_file_of_somebody_else_is_not_written_over() {
    let mut inbox = Inbox::new(RunKind::Predict);
    inbox.rule.output = Some(Output {
        folder: inbox.output(),
        ending: "csv".to_owned(),
    });
    let written = inbox.output().join("a.csv.csv");
    fs::create_dir(inbox.output()).unwrap();
    fs::write(&written, "mine").unwrap();
    block_on(async {
        inbox.bench.train(1.0).await;
        inbox.put("a.csv", "a\n1\n");
        let watching = inbox.watch(2);
        until_runs(&inbox.bench, 2).await;
        inbox.work().await;
        inbox.looks().await;
        assert_eq!(fs::read(&written).unwrap(), b"mine");
        // When it is gone the predictions come.
        fs::remove_file(&written).unwrap();
        until(async || written.exists()).await;
        let bytes = fs::read(&written).unwrap();
        assert_ne!(bytes, b"mine");
        // What septet wrote is replaced by newer predictions, and nothing else is.
        inbox.put("a.csv", "a\n2\n");
        until_runs(&inbox.bench, 3).await;
        inbox.work().await;
        until(async || fs::read(&written).is_ok_and(|now| now != bytes)).await;
        // Both watchers are done with it.
        inbox.looks().await;
        fs::write(&written, "mine again").unwrap();
        inbox.put("a.csv", "a\n3\n");
        until_runs(&inbox.bench, 4).await;
        inbox.work().await;
        inbox.looks().await;
        watching.end().await;
        assert_eq!(fs::read(&written).unwrap(), b"mine again");
    });
}

#[test]
fn a_run_that_came_to_nothing_has_no_predictions() {
    let mut inbox = Inbox::new(RunKind::Predict);
    inbox.rule.output = Some(Output {
        folder: inbox.output(),
        ending: "csv".to_owned(),
    });
    block_on(async {
        inbox.bench.train(1.0).await;
        let rejected = Disposition::Rejected {
            reason: "it has no column 'a'".to_owned(),
        };
        let account = &inbox.bench.account;
        account.plan(Stage::Infer, [Instead::Answer(rejected)]);
        inbox.put("a.csv", "a\n1\n");
        let watching = inbox.watch(1);
        until_runs(&inbox.bench, 2).await;
        inbox.work().await;
        inbox.looks().await;
        watching.end().await;
        let run = runs(&inbox.bench).await.pop().unwrap();
        assert_eq!(run.status, Status::Rejected);
        assert!(!inbox.output().exists());
    });
}

#[test]
fn what_can_not_be_asked_for_yet_is_tried_again_and_not_lost() {
    let inbox = Inbox::new(RunKind::Train);
    *inbox.asks.refused.lock().unwrap() = Some("there is no model 'iris'".to_owned());
    block_on(async {
        for number in 0..5 {
            inbox.put(&format!("{number}.csv"), &format!("a\n{number}\n"));
        }
        let watching = inbox.watch(1);
        until(async || inbox.asks.asked() >= 10).await;
        inbox.looks().await;
        // Waits that double: in some minutes of this clock not hundreds.
        let minutes = 10;
        let (clock, begun) = (inbox.bench.pipeline.clock(), inbox.asks.asked());
        let start = clock.now();
        until(async || clock.now() >= start + minutes * 60_000).await;
        let asked = inbox.asks.asked() - begun;
        assert!(asked <= 5 * 12, "{asked}");
        assert!(runs(&inbox.bench).await.is_empty());
        *inbox.asks.refused.lock().unwrap() = None;
        until_runs(&inbox.bench, 5).await;
        inbox.looks().await;
        watching.end().await;
        assert_eq!(runs(&inbox.bench).await.len(), 5);
    });
}

#[test]
fn bad_files_hold_nothing_up() {
    let inbox = Inbox::new(RunKind::Train);
    block_on(async {
        let pipe = inbox.path("pipe.csv");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        fs::write(inbox.folder.path().join("secret.csv"), "a\n1\n").unwrap();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, inbox.path(name)).unwrap();
        link("../secret.csv", "link.csv");
        link("loop.csv", "loop.csv");
        for name in ["late.csv.part", "late.tmp", ".late.csv", "late.csv~"] {
            fs::write(inbox.path(name), "a\n1\n").unwrap();
        }
        fs::write(inbox.path("empty.csv"), "").unwrap();
        let watching = inbox.watch(2);
        inbox.looks().await;
        assert!(runs(&inbox.bench).await.is_empty());
        inbox.put("good.csv", "a\n1\n");
        until_runs(&inbox.bench, 1).await;
        // It is taken when there is something in it.
        fs::write(inbox.path("empty.csv"), "a\n2\n").unwrap();
        until_runs(&inbox.bench, 2).await;
        // The folder goes, and comes again.
        let aside = inbox.folder.path().join("aside");
        fs::rename(&inbox.rule.path, &aside).unwrap();
        inbox.looks().await;
        fs::rename(&aside, &inbox.rule.path).unwrap();
        inbox.put("next.csv", "a\n3\n");
        until_runs(&inbox.bench, 3).await;
        inbox.looks().await;
        watching.end().await;
        assert_eq!(runs(&inbox.bench).await.len(), 3);
    });
}

#[test]
fn drift_is_one_training() {
    let mut inbox = Inbox::new(RunKind::Monitor);
    let options = |drifted: bool| match json!({ "drifted": drifted }) {
        Value::Object(options) => options,
        _ => unreachable!(),
    };
    let history = inbox.folder.path().join("history.csv");
    fs::write(&history, "a\n1\n2\n").unwrap();
    inbox.rule.retrain = Some(Retrain {
        data: vec![history.clone()],
        options: Map::new(),
    });
    block_on(async {
        inbox.bench.train(1.0).await;
        inbox.rule.options = options(false);
        inbox.put("calm.csv", "a\n1\n");
        let watching = inbox.watch(2);
        until_runs(&inbox.bench, 2).await;
        inbox.work().await;
        inbox.looks().await;
        watching.end().await;
        assert_eq!(runs(&inbox.bench).await.len(), 2);
        inbox.rule.options = options(true);
        inbox.put("drifted.csv", "a\n9\n");
        let watching = inbox.watch(2);
        until_runs(&inbox.bench, 3).await;
        inbox.work().await;
        until_runs(&inbox.bench, 4).await;
        inbox.looks().await;
        watching.end().await;
        let watching = inbox.watch(2);
        inbox.looks().await;
        watching.end().await;
        let runs = runs(&inbox.bench).await;
        assert_eq!(runs.len(), 4);
        let (monitored, trained) = (&runs[2].id, &runs[3].id);
        let pipeline = &inbox.bench.pipeline;
        let cause = format!("drift:{monitored}");
        assert_eq!(
            pipeline.started(&cause).await.unwrap().as_ref(),
            Some(trained)
        );
        let request = pipeline.state(trained).await.unwrap().request;
        assert_eq!(request.kind, RunKind::Train);
        let trace = request
            .trace
            .as_deref()
            .and_then(septet::pipeline::trace_of);
        assert_eq!(trace, Some(monitored.replace('-', "").as_str()));
        let wanted = inbox.asks.wanted.lock().unwrap().pop().unwrap();
        assert_eq!(wanted.model.as_deref(), Some("iris"));
        assert!(matches!(&wanted.data[..], [Part::Path(path)] if *path == history));
        assert!(inbox.asks.count.load(Ordering::SeqCst) <= 6);
    });
}
