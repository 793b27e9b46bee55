//! Where predictions go beside the store, and whether a file that stands there may be replaced.
//!
//! A file is Septet's if it holds what a record says was written under its name. The record is
//! made before the file, so that after a crash between the two the file is known. It must not know
//! which run a file is of.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

use crate::{
    contract::{Artifact, Digest},
    store::{Store, Target},
};

/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;

/// Where predictions go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// A folder; it is made where only it is missing.
    pub folder: PathBuf,
    /// How the files' names end: as their format does.
    pub ending: String,
}

impl Output {
    /// The file for what was started for `name`.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.{}", self.ending))
    }

    /// Writes a blob as the file at `path`, unless a file is there that is not ours; gives whether
    /// it was written. `watched` is the folder that the data are from: predictions that come back
    /// into it would be data again, for ever.
    pub(super) async fn write(
        &self,
        store: &Store,
        artifact: &Artifact,
        path: &Path,
        watched: Option<&Path>,
    ) -> anyhow::Result<bool> {
        let shown = self.folder.display();
        match fs::create_dir(&self.folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).with_context(|| format!("{shown} can't be made"));
            }
            _ => {}
        }
        // It may be a link that did not stand there when the settings were checked.
        let real = fs::canonicalize(&self.folder);
        let real = real.with_context(|| format!("{shown} can't be read"))?;
        ensure!(
            watched.and_then(|watched| fs::canonicalize(watched).ok()) != Some(real),
            "{shown} is the watched folder itself: name another output"
        );
        let target = Target::new(path)?;
        let key = |digest: &Digest| {
            let whole = format!("{}\0{digest}", path.display());
            format!("written/{}", Digest::of(whole.as_bytes()))
        };
        if is_there(path) {
            let path = path.to_owned();
            let found = tokio::task::spawn_blocking(move || digest(&path)).await??;
            let ours = match found {
                Some(digest) => store.records.get(&key(&digest)).await?.is_some(),
                None => false,
            };
            if !ours {
                return Ok(false);
            }
        }
        store.records.create(&key(&artifact.digest), b"{}").await?;
        target.fill(store.blobs.as_ref(), &artifact.digest).await?;
        Ok(true)
    }
}

/// Whether anything stands at this path, be it a link to nothing.
pub(super) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// What a file holds; none of what is no ordinary file, which is never opened to be read.
fn digest(path: &Path) -> anyhow::Result<Option<Digest>> {
    let failed = || format!("{} can't be read", path.display());
    if !fs::symlink_metadata(path).with_context(failed)?.is_file() {
        return Ok(None);
    }
    let mut options = File::options();
    // What was a file may be a pipe or a link by now, and to open one may take for ever.
    let careful = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    options.custom_flags(careful.bits().cast_signed());
    let file = options.read(true).open(path).with_context(failed)?;
    let metadata = file.metadata().with_context(failed)?;
    if !metadata.is_file() {
        return Ok(None);
    }
    // One that grows is not read to an end that never comes: it is not ours in any case.
    let mut file = file.take(metadata.len());
    let (mut hasher, mut piece) = (Sha256::new(), vec![0; PIECE]);
    loop {
        let read = file.read(&mut piece).with_context(failed)?;
        if read == 0 {
            return Ok(Some(Digest::from_bytes(hasher.finalize().into())));
        }
        hasher.update(piece.get(..read).unwrap_or_default());
    }
}
