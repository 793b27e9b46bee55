//! A watched folder of components: `train.wasm` takes the place of train, with `train.wasm.minisig`
//! beside it where it is signed.
//!
//! The folder is looked at again and again, as folders of data are. A file is taken when two looks
//! have found it the same, and once: what was refused is not tried again before the file changes, and
//! what the log has had before is not brought back by a restart, or nobody could roll it back. Files
//! are never changed, moved or deleted.

use std::{
    collections::BTreeMap,
    fs::Metadata,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{
    offer::Offer,
    swapper::{Swapper, Wish},
};
use crate::contract::{Digest, Stage};

/// The time between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// The time after which a file is tried again, where the fault was not its own.
const AGAIN: Duration = Duration::from_secs(10);

/// Watches one folder.
pub struct StagesFolder {
    swapper: Arc<Swapper>,
    folder: PathBuf,
    who: String,
    files: BTreeMap<Stage, Seen>,
    /// The last trouble with each file, and under none with the folder itself: each is told once.
    troubles: BTreeMap<Option<Stage>, String>,
}

/// A file as it was at the last look.
#[derive(Clone, Debug)]
struct Seen {
    stamp: Stamp,
    /// Whether a later look has found it the same, and it was dealt with.
    done: bool,
    /// What was found in it when it was dealt with.
    held: Option<Digest>,
    /// When it is tried again, after a fault that was not the file's.
    again: Option<Instant>,
}

/// What changes when a file is written, or its signature is: size, time and number of each.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp(Vec<Option<(u64, Option<SystemTime>, u64)>>);

impl StagesFolder {
    /// A watcher of `folder`.
    pub fn new(swapper: Arc<Swapper>, folder: PathBuf) -> Self {
        Self {
            swapper,
            who: format!("folder {}", folder.display()),
            folder,
            files: BTreeMap::new(),
            troubles: BTreeMap::new(),
        }
    }

    /// Watches until `stop`. A swap that was begun is ended before.
    pub async fn watch(mut self, stop: impl Future<Output = ()> + Send) {
        tokio::pin!(stop);
        loop {
            self.look().await;
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn look(&mut self) {
        let folder = self.folder.clone();
        let there = tokio::task::spawn_blocking(move || match std::fs::read_dir(&folder) {
            Ok(_) => Ok(Stage::ALL.map(|stage| (stage, stamp(&file(&folder, stage))))),
            Err(error) => Err(format!(
                "the folder of stages {} can't be read: {error}",
                folder.display()
            )),
        });
        let stamps = match there.await {
            Ok(Ok(stamps)) => stamps,
            Ok(Err(trouble)) => return self.say(None, trouble),
            Err(error) => return self.say(None, error.to_string()),
        };
        self.troubles.remove(&None);
        for (stage, stamp) in stamps {
            let Some(stamp) = stamp else {
                self.files.remove(&stage);
                continue;
            };
            let Some(seen) = self.files.get(&stage).filter(|seen| seen.stamp == stamp) else {
                let seen = Seen {
                    stamp,
                    done: false,
                    held: self.files.get(&stage).and_then(|seen| seen.held),
                    again: None,
                };
                self.files.insert(stage, seen);
                continue;
            };
            if seen.done || seen.again.is_some_and(|again| again > Instant::now()) {
                continue;
            }
            let held = self.take(stage, seen.held).await;
            if let Some(seen) = self.files.get_mut(&stage) {
                match held {
                    Some(held) => {
                        seen.done = true;
                        seen.held = Some(held);
                    }
                    None => seen.again = Some(Instant::now() + AGAIN),
                }
            }
        }
    }

    /// Deals with a file that has come to rest; gives what it holds, or none where it is to be tried
    /// again. `before` is what it held before it changed, while it was watched.
    async fn take(&mut self, stage: Stage, before: Option<Digest>) -> Option<Digest> {
        let (path, most) = (file(&self.folder, stage), self.swapper.largest());
        let shown = path.display().to_string();
        let read = tokio::task::spawn_blocking(move || Offer::of_file(&path, most)).await;
        let offer = match read {
            Ok(Ok(offer)) => offer,
            Ok(Err(error)) => {
                self.say(Some(stage), format!("{error:#}"));
                return None;
            }
            Err(error) => {
                self.say(Some(stage), error.to_string());
                return None;
            }
        };
        self.troubles.remove(&Some(stage));
        let digest = Digest::of(&offer.bytes);
        let state = match self.swapper.pipeline().swaps().state(stage).await {
            Ok(state) => state,
            Err(error) => {
                self.say(Some(stage), format!("{error:#}"));
                return None;
            }
        };
        let builtin = self.swapper.is_builtin(stage, &digest);
        // At a start, what the log has had was dealt with, and may have been rolled back since. Who
        // changes the file while it is watched wants what is in it now.
        let old = before.is_none() && (state.has_admitted(&digest) || builtin);
        if old || state.current == Some(digest) || before == Some(digest) {
            return Some(digest);
        }
        let wish = Wish {
            who: self.who.clone(),
            ..Wish::default()
        };
        match self.swapper.swap(stage, offer, &wish).await {
            Ok(swapped) => {
                let short = swapped.component.short();
                tracing::info!("{shown}: {stage} is {short} now");
            }
            Err(refused) => {
                tracing::warn!("{shown}: {refused}");
                if refused.fault {
                    return None;
                }
            }
        }
        Some(digest)
    }

    /// Tells a trouble, once.
    fn say(&mut self, of: Option<Stage>, trouble: String) {
        if self.troubles.get(&of) != Some(&trouble) {
            tracing::warn!("{trouble}");
        }
        self.troubles.insert(of, trouble);
    }
}

fn file(folder: &Path, stage: Stage) -> PathBuf {
    folder.join(format!("{stage}.wasm"))
}

/// The stamp of a file and its signature; none where there is no such file.
fn stamp(file: &Path) -> Option<Stamp> {
    let own = std::fs::metadata(file).ok().filter(Metadata::is_file)?;
    let signature = PathBuf::from(format!("{}.minisig", file.display()));
    let signature = std::fs::metadata(signature).ok();
    let of = |metadata: &Metadata| {
        let number = number(metadata);
        (metadata.len(), metadata.modified().ok(), number)
    };
    Some(Stamp(vec![Some(of(&own)), signature.as_ref().map(of)]))
}

#[cfg(unix)]
fn number(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> u64 {
    0
}
