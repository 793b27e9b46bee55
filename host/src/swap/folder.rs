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
    time::{Duration, SystemTime},
};

use super::{
    offer::Offer,
    swapper::{Swapper, Wish},
};
use crate::contract::{Digest, Stage};

/// The time between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// Watches one folder.
pub struct StagesFolder {
    swapper: Arc<Swapper>,
    folder: PathBuf,
    who: String,
    files: BTreeMap<Stage, Seen>,
    /// The last trouble with the folder itself, so that it is told once.
    trouble: Option<String>,
}

/// A file as it was at the last look.
#[derive(Clone, Debug)]
struct Seen {
    stamp: Stamp,
    /// Whether a later look has found it the same, and it was dealt with.
    done: bool,
    /// What was found in it when it was dealt with.
    held: Option<Digest>,
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
            trouble: None,
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
            Ok(Err(trouble)) => return self.say(Some(trouble)),
            Err(error) => return self.say(Some(error.to_string())),
        };
        self.say(None);
        for (stage, stamp) in stamps {
            let Some(stamp) = stamp else {
                self.files.remove(&stage);
                continue;
            };
            let seen = self.files.get(&stage).cloned();
            let same = seen.as_ref().is_some_and(|seen| seen.stamp == stamp);
            if !same {
                let held = seen.and_then(|seen| seen.held);
                let done = false;
                self.files.insert(stage, Seen { stamp, done, held });
            } else if seen.as_ref().is_some_and(|seen| !seen.done) {
                let held = self.take(stage, seen.and_then(|seen| seen.held)).await;
                if let (Some(seen), Some(held)) = (self.files.get_mut(&stage), held) {
                    seen.done = true;
                    seen.held = Some(held);
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
                self.say(Some(format!("{error:#}")));
                return None;
            }
            Err(error) => {
                self.say(Some(error.to_string()));
                return None;
            }
        };
        let digest = Digest::of(&offer.bytes);
        let state = match self.swapper.pipeline().swaps().state(stage).await {
            Ok(state) => state,
            Err(error) => {
                self.say(Some(format!("{error:#}")));
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
    fn say(&mut self, trouble: Option<String>) {
        if let Some(trouble) = trouble.as_ref().filter(|_| self.trouble != trouble) {
            tracing::warn!("{trouble}");
        }
        self.trouble = trouble;
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
