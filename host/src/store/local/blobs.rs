//! Blobs as files under their digest.
//!
//! A blob is written beside its place, synced, and renamed into it, so that what is found there is
//! whole. It is checked on the very handle that is read from then on.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::folder::owner_only;
use crate::{
    contract::Digest,
    store::{BlobError, BlobReader, BlobWriter, Blobs, Clock, Listed},
};

/// How much is gathered before a thread is asked to write it.
const PIECE: usize = 256 << 10;

/// What a crash left is swept when it is older than any write could be.
const LEFT_OVER: Duration = Duration::from_hours(24);

/// Blobs as files.
pub(super) struct LocalBlobs(Arc<Places>);

struct Places {
    store: PathBuf,
    blobs: PathBuf,
    unfinished: PathBuf,
    lock: PathBuf,
    clock: Arc<dyn Clock>,
}

impl LocalBlobs {
    /// Makes the two folders where they are missing.
    pub(super) fn open(store: &Path, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let places = Places {
            store: store.to_owned(),
            blobs: store.join("blobs"),
            unfinished: store.join("unfinished"),
            lock: store.join("blobs.lock"),
            clock,
        };
        for folder in [&places.blobs, &places.unfinished] {
            if !folder.is_dir() {
                let made = owner_only().create(folder);
                made.with_context(|| places.write_failed())?;
            }
        }
        places.sweep();
        Ok(Self(Arc::new(places)))
    }
}

impl Places {
    fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.to_string();
        let (folder, name) = hex.split_at(2);
        self.blobs.join(folder).join(name)
    }

    fn write_failed(&self) -> String {
        format!("cannot write to the store {}", self.store.display())
    }

    /// Best effort: what cannot be swept now is swept next time.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.unfinished) else {
            return;
        };
        let now = SystemTime::now();
        for entry in entries.flatten() {
            let modified = entry.metadata().and_then(|data| data.modified());
            let age = modified.map(|time| now.duration_since(time).unwrap_or_default());
            if age.is_ok_and(|age| age > LEFT_OVER) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.clock.now())
    }

    /// The lock between those who mark a blob as used and those who delete it: held for the look
    /// and the change together.
    fn lock(&self) -> io::Result<File> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options.mode(0o600).open(&self.lock)
    }

    /// Marks a blob as used now; false where its file is no longer the one that is open.
    fn mark_used(&self, file: &File, digest: &Digest) -> io::Result<bool> {
        let lock = self.lock()?;
        lock.lock_shared()?;
        let there = match fs::metadata(self.path(digest)) {
            Ok(there) => there,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let own = file.metadata()?;
        let same = (own.dev(), own.ino()) == (there.dev(), there.ino());
        if same {
            file.set_modified(self.now())?;
        }
        Ok(same)
    }

    fn list(&self, after: Option<&Digest>, limit: usize) -> io::Result<Vec<Listed>> {
        let mut listed = Vec::new();
        let after_hex = after.map(ToString::to_string);
        let mut folders = names(&self.blobs)?;
        folders.retain(|name| name.len() == 2);
        for folder in folders {
            if after_hex
                .as_ref()
                .is_some_and(|after| after.get(..2) > Some(&folder))
            {
                continue;
            }
            for name in names(&self.blobs.join(&folder))? {
                // What is not named so was not put here by us.
                let Ok(digest) = format!("{folder}{name}").parse::<Digest>() else {
                    continue;
                };
                if after.is_some_and(|after| digest <= *after) {
                    continue;
                }
                if listed.len() >= limit {
                    return Ok(listed);
                }
                // It may have been deleted since the folder was read.
                if let Ok(data) = fs::metadata(self.path(&digest)) {
                    listed.push(Listed {
                        digest,
                        size: data.len(),
                        used: used(&data),
                        mark: mark(&data),
                    });
                }
            }
        }
        Ok(listed)
    }

    fn remove(&self, listed: &Listed) -> io::Result<bool> {
        let path = self.path(&listed.digest);
        let lock = self.lock()?;
        lock.lock()?;
        let unchanged = fs::metadata(&path).is_ok_and(|data| mark(&data) == listed.mark);
        if unchanged {
            fs::remove_file(path)?;
        }
        Ok(unchanged)
    }

    /// Renames a finished file into its place. A file that is there is replaced by the same
    /// bytes: that marks it as used now, and heals it where it was damaged.
    fn settle(&self, file: NamedTempFile, digest: &Digest) -> io::Result<()> {
        let path = self.path(digest);
        let folder = path.parent().unwrap_or(&self.blobs);
        if !folder.is_dir() {
            owner_only().create(folder)?;
        }
        // Always: who made the folder may not have come to this yet.
        File::open(&self.blobs)?.sync_all()?;
        file.as_file().set_modified(self.now())?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }

    /// An open file with the digest of what is in it; none where there is no file.
    fn digested(&self, digest: &Digest) -> io::Result<Option<(File, u64, Digest)>> {
        let mut file = match File::open(self.path(digest)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut hasher = Sha256::new();
        let mut piece = vec![0; PIECE];
        let mut size = 0;
        loop {
            let length = match file.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hasher.update(piece.get(..length).unwrap_or_default());
            size += length as u64;
        }
        let found = Digest::from_bytes(hasher.finalize().into());
        Ok(Some((file, size, found)))
    }
}

/// What is in a folder, in order.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let names = entries.iter().map(|entry| entry.file_name());
    let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    names.sort_unstable();
    Ok(names)
}

fn used(data: &fs::Metadata) -> u64 {
    let modified = data.modified().unwrap_or(UNIX_EPOCH);
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

/// A file that was written again is another file; one that was touched has another time.
fn mark(data: &fs::Metadata) -> String {
    format!("{}-{}-{}", data.ino(), data.mtime(), data.mtime_nsec())
}

#[async_trait]
impl Blobs for LocalBlobs {
    async fn create(&self) -> anyhow::Result<Box<dyn BlobWriter>> {
        let places = Arc::clone(&self.0);
        let file = tokio::task::spawn_blocking(move || {
            let file = NamedTempFile::new_in(&places.unfinished);
            file.with_context(|| places.write_failed())
        })
        .await??;
        Ok(Box::new(Writer {
            places: Arc::clone(&self.0),
            state: Some(State {
                file,
                hasher: Sha256::new(),
                size: 0,
            }),
            gathered: Vec::new(),
        }))
    }

    async fn open(&self, digest: &Digest) -> Result<Box<dyn BlobReader>, BlobError> {
        let (places, digest) = (Arc::clone(&self.0), *digest);
        let place = places.path(&digest).display().to_string();
        let opened = tokio::task::spawn_blocking(move || places.digested(&digest))
            .await
            .map_err(anyhow::Error::from)?
            .with_context(|| format!("cannot read {place}"))?;
        match opened {
            None => Err(BlobError::Missing(digest)),
            Some((_, _, found)) if found != digest => Err(BlobError::Corrupt { digest, place }),
            Some((file, size, _)) => Ok(Box::new(Reader {
                file: Arc::new(file),
                size,
                place,
            })),
        }
    }

    /// A file that does not have the digest is not that blob: whoever asks makes it again, and
    /// so heals it.
    async fn touch(&self, digest: &Digest) -> anyhow::Result<Option<u64>> {
        let (places, digest) = (Arc::clone(&self.0), *digest);
        tokio::task::spawn_blocking(move || {
            let place = places.path(&digest);
            loop {
                let opened = places
                    .digested(&digest)
                    .with_context(|| format!("cannot read {}", place.display()))?;
                let Some((file, size, found)) = opened else {
                    return Ok(None);
                };
                if found != digest {
                    tracing::warn!(place = %place.display(), "a blob is damaged and will not be used");
                    return Ok(None);
                }
                let marked = places.mark_used(&file, &digest);
                if marked.with_context(|| places.write_failed())? {
                    return Ok(Some(size));
                }
                // Deleted or replaced while it was read: looked for again.
            }
        })
        .await?
    }

    async fn list(&self, after: Option<&Digest>, limit: usize) -> anyhow::Result<Vec<Listed>> {
        let (places, after) = (Arc::clone(&self.0), after.copied());
        let listed = tokio::task::spawn_blocking(move || {
            let listed = places.list(after.as_ref(), limit);
            listed.with_context(|| format!("cannot read {}", places.blobs.display()))
        });
        listed.await?
    }

    async fn remove(&self, listed: &Listed) -> anyhow::Result<bool> {
        let (places, listed) = (Arc::clone(&self.0), listed.clone());
        let removed = tokio::task::spawn_blocking(move || {
            let removed = places.remove(&listed);
            removed.with_context(|| places.write_failed())
        });
        removed.await?
    }
}

/// The temporary file is deleted when this is dropped.
struct State {
    file: NamedTempFile,
    hasher: Sha256,
    size: u64,
}

impl State {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }
}

struct Writer {
    places: Arc<Places>,
    /// None after a failed write, or while one is under way.
    state: Option<State>,
    gathered: Vec<u8>,
}

impl Writer {
    fn take(&mut self) -> anyhow::Result<(State, Vec<u8>)> {
        let state = self.state.take();
        let state = state.context("an earlier write of this blob failed")?;
        Ok((state, std::mem::take(&mut self.gathered)))
    }
}

#[async_trait]
impl BlobWriter for Writer {
    async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        anyhow::ensure!(self.state.is_some(), "an earlier write of this blob failed");
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() < PIECE {
            return Ok(());
        }
        let (mut state, gathered) = self.take()?;
        let written = tokio::task::spawn_blocking(move || {
            let written = state.write(&gathered);
            written.map(|()| (state, gathered))
        });
        let (state, mut gathered) = written.await?.with_context(|| self.places.write_failed())?;
        gathered.clear();
        self.gathered = gathered;
        self.state = Some(state);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> anyhow::Result<(Digest, u64)> {
        let (mut state, gathered) = self.take()?;
        let places = Arc::clone(&self.places);
        tokio::task::spawn_blocking(move || {
            let State { file, hasher, size } = {
                state
                    .write(&gathered)
                    .with_context(|| places.write_failed())?;
                state
            };
            let digest = Digest::from_bytes(hasher.finalize().into());
            places
                .settle(file, &digest)
                .with_context(|| places.write_failed())?;
            Ok((digest, size))
        })
        .await?
    }
}

struct Reader {
    file: Arc<File>,
    size: u64,
    place: String,
}

#[async_trait]
impl BlobReader for Reader {
    fn size(&self) -> u64 {
        self.size
    }

    async fn read(&self, offset: u64, length: u32) -> anyhow::Result<Vec<u8>> {
        let length = u64::from(length).min(self.size.saturating_sub(offset));
        if length == 0 {
            return Ok(Vec::new());
        }
        let file = Arc::clone(&self.file);
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; length as usize];
            file.read_exact_at(&mut bytes, offset).map(|()| bytes)
        });
        read.await?
            .with_context(|| format!("cannot read {}", self.place))
    }
}
