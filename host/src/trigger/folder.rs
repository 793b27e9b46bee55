//! Watched folders: a file that is dropped there is a run, or the folder as a whole is.
//!
//! Folders are looked at again and again, because that works on every file system and finds what
//! was dropped while nobody watched. A file is taken when it has come to rest. Its run has as
//! its cause where it lies and what it holds: however many processes watch, and however often they
//! are started again, one content is one run. Files are never changed, moved or deleted.

mod scan;
mod seen;

use std::{future::Future, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use glob::Pattern;
use serde_json::{Map, Value};

use self::seen::Seen;
use super::{
    follow::{Follow, Output, Retrain},
    later::{Later, Said},
    wanted::{Part, Requests, Wanted},
};
use crate::{
    contract::Digest,
    pipeline::{Pipeline, RunKind, RunRequest},
};

/// The longest time between two looks, and the shortest.
const SELDOM: Duration = Duration::from_secs(1);
const OFTEN: Duration = Duration::from_millis(50);

/// What is watched, and what becomes of it.
#[derive(Clone, Debug)]
pub struct FolderRule {
    /// The folder, as an absolute path: it is part of what its runs are known by.
    pub path: PathBuf,
    /// What the runs are for.
    pub kind: RunKind,
    /// The model; for a training its name, if it is not to be the settings' or the file's.
    pub model: Option<String>,
    /// Whether all files are one data set, and any change of them is one run.
    pub whole: bool,
    /// Which files; those that end as data do, where it is not said.
    pub pattern: Option<Pattern>,
    /// For how long a file must not have changed.
    pub settle: Duration,
    /// Where predictions go, beside the store.
    pub output: Option<Output>,
    /// The flags of the command that does the same.
    pub options: Map<String, Value>,
    /// What is trained when monitor finds drift.
    pub retrain: Option<Retrain>,
}

/// Watches one folder.
pub struct Folder {
    pipeline: Pipeline,
    requests: Arc<dyn Requests>,
    rule: FolderRule,
    seen: Seen,
    /// Of the folder as a whole: whether its run is there, and when that is tried again.
    whole: (bool, Later),
    follow: Follow,
    said: Said,
}

impl Folder {
    /// A watcher that starts runs in `pipeline`.
    pub fn new(pipeline: Pipeline, requests: Arc<dyn Requests>, rule: FolderRule) -> Self {
        let follow = Follow::new(
            pipeline.clone(),
            Arc::clone(&requests),
            rule.output.clone(),
            rule.retrain.clone(),
        )
        .watching(&rule.path);
        Self {
            seen: Seen::new(rule.settle),
            pipeline,
            requests,
            rule,
            whole: (false, Later::default()),
            follow,
            said: Said::default(),
        }
    }

    /// Watches until `stop`. What was begun is safe to be dropped at any point: it is found again.
    pub async fn watch(mut self, stop: impl Future<Output = ()> + Send) {
        let pause = (self.rule.settle / 2).clamp(OFTEN, SELDOM);
        let clock = Arc::clone(self.pipeline.clock());
        let watching = async {
            loop {
                self.step().await;
                clock.sleep(pause).await;
            }
        };
        tokio::select! {
            biased;
            () = stop => {}
            () = watching => {}
        }
    }

    /// One look, and what comes of it.
    async fn step(&mut self) {
        let (path, pattern) = (self.rule.path.clone(), self.rule.pattern.clone());
        let found = tokio::task::spawn_blocking(move || scan::scan(&path, pattern.as_ref())).await;
        let found = match found.context("the folder can't be looked at").flatten() {
            Ok(found) => found,
            Err(error) => {
                self.said.warn(&format!("{error:#}"));
                return;
            }
        };
        for why in &found.refused {
            self.said.warn(why);
        }
        let now = self.now();
        if self.seen.see(found.files, now) {
            self.whole = (false, Later::default());
        }
        if self.rule.whole {
            self.take_whole(now).await;
        } else {
            for name in self.seen.settled(now) {
                self.take(&name).await;
            }
        }
        self.follow.step(self.now(), &mut self.said).await;
    }

    fn now(&self) -> u64 {
        self.pipeline.clock().now()
    }

    /// A file becomes a run.
    async fn take(&mut self, name: &str) {
        let started = match self.digest(name).await {
            Ok(None) => Ok(None),
            Ok(Some(digest)) => {
                let cause = self.cause(&[name, &digest.to_string()]);
                self.start(&cause, &[name.to_owned()], &[digest]).await
            }
            Err(error) => Err(error),
        };
        let now = self.now();
        match started {
            Ok(Some(run)) => {
                if let Some(file) = self.seen.files.get_mut(name) {
                    file.done = true;
                }
                self.follow.add(run, name.to_owned());
            }
            Ok(None) => self.seen.disturb(name, now),
            Err(error) => {
                if let Some(file) = self.seen.files.get_mut(name) {
                    file.later.failed(now);
                }
                self.warn(&error);
            }
        }
    }

    /// The folder becomes a run.
    async fn take_whole(&mut self, now: u64) {
        let (done, later) = self.whole;
        if done || !later.is_due(now) || !self.seen.is_quiet(now) {
            return;
        }
        let names: Vec<String> = self.seen.files.keys().cloned().collect();
        let mut digests = Vec::new();
        for name in &names {
            match self.digest(name).await {
                Ok(Some(digest)) => digests.push(digest),
                Ok(None) => {
                    self.seen.disturb(name, self.now());
                    return;
                }
                Err(error) => {
                    self.whole.1.failed(self.now());
                    self.warn(&error);
                    return;
                }
            }
        }
        let list: Vec<String> = digests.iter().map(ToString::to_string).collect();
        let list = Digest::of(list.join("\n").as_bytes());
        let cause = self.cause(&[&list.to_string()]);
        match self.start(&cause, &names, &digests).await {
            Ok(Some(run)) => {
                self.whole.0 = true;
                let name = self.rule.path.file_name().unwrap_or_default();
                let name = name.to_string_lossy().into_owned();
                self.follow.add(run, name);
            }
            // Something of it is not what it was, though it looked the same.
            Ok(None) => {
                for name in &names {
                    self.seen.disturb(name, self.now());
                }
            }
            Err(error) => {
                self.whole.1.failed(self.now());
                self.warn(&error);
            }
        }
    }

    /// What a file holds; none where it is not at rest after all.
    async fn digest(&mut self, name: &str) -> anyhow::Result<Option<Digest>> {
        let Some(file) = self.seen.files.get_mut(name) else {
            return Ok(None);
        };
        if let Some(digest) = file.digest {
            return Ok(Some(digest));
        }
        let (path, stamp) = (self.rule.path.join(name), file.stamp);
        let digest = tokio::task::spawn_blocking(move || scan::digest(&path, &stamp)).await??;
        file.digest = digest;
        Ok(digest)
    }

    /// What a run of this folder is known by. The same file may be for several models; no name has
    /// a NUL.
    fn cause(&self, what: &[&str]) -> String {
        let rule = &self.rule;
        let path = rule.path.display().to_string();
        let model = rule.model.as_deref().unwrap_or_default();
        let mut cause = vec![path.as_str(), rule.kind.name(), model];
        cause.extend(what);
        format!("folder:{}", cause.join("\0"))
    }

    /// The run of these files, started now or before; none where they are not any more what they
    /// were.
    async fn start(
        &self,
        cause: &str,
        names: &[String],
        digests: &[Digest],
    ) -> anyhow::Result<Option<String>> {
        // Before the files are read once more: after a restart most are known.
        if let Some(run) = self.pipeline.started(cause).await? {
            return Ok(Some(run));
        }
        let rule = &self.rule;
        let wanted = Wanted {
            kind: rule.kind,
            model: rule.model.clone(),
            data: names
                .iter()
                .map(|name| Part::Path(rule.path.join(name)))
                .collect(),
            options: rule.options.clone(),
            trace: None,
        };
        let request = self.requests.request(wanted).await?;
        ensure!(request.kind == rule.kind, "it is another kind of run");
        if !holds(&request, digests) {
            return Ok(None);
        }
        let (run, new) = self.pipeline.start_once(cause, request).await?;
        if new {
            let (path, kind) = (rule.path.display(), rule.kind.name());
            let what = if let [name] = names {
                format!("{name:?}")
            } else {
                format!("{} files", names.len())
            };
            tracing::info!("{path}: {what}: {kind} run {run}");
        }
        Ok(Some(run))
    }

    fn warn(&mut self, error: &anyhow::Error) {
        let path = self.rule.path.display();
        self.said
            .warn(&format!("the watched folder {path}: {error:#}"));
    }
}

/// Whether a request's data are what was found: a file may have changed before it was read again.
/// Test files may have been taken out of them.
fn holds(request: &RunRequest, digests: &[Digest]) -> bool {
    let (data, _) = request.parts();
    let found = |source: &crate::pipeline::Source| digests.contains(&source.artifact.digest);
    data.iter().all(found)
}
