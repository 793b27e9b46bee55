//! Blobs as files under their digest.
//!
//! A blob is written beside its place, synced, and renamed into it, so that what is found there is
//! whole. It is checked on the very handle that is read from then on. How bytes stand in a file is
//! `content`'s matter: this module must not know whether they are encrypted.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use async_trait::async_trait;
use tempfile::NamedTempFile;

use super::{
    content::{Content, Form},
    folder::owner_only,
    sealed_file::Unreadable,
    writer::Writer,
};
use crate::{
    contract::Digest,
    store::{BlobError, BlobReader, BlobWriter, Blobs, Clock, Listed},
};

/// What a crash left is swept when it is older than any write could be.
const LEFT_OVER: Duration = Duration::from_hours(24);

/// Blobs as files.
pub(super) struct LocalBlobs(Arc<Places>);

/// Where blobs are, and how they are kept there.
pub(super) struct Places {
    store: PathBuf,
    blobs: PathBuf,
    /// Where they are while they are written.
    pub(super) unfinished: PathBuf,
    lock: PathBuf,
    pub(super) form: Form,
    clock: Arc<dyn Clock>,
}

impl LocalBlobs {
    /// Makes the two folders where they are missing.
    pub(super) fn open(store: &Path, form: Form, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let places = Places {
            store: store.to_owned(),
            blobs: store.join("blobs"),
            unfinished: store.join("unfinished"),
            lock: store.join("blobs.lock"),
            form,
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

    pub(super) fn write_failed(&self) -> String {
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
    pub(super) fn settle(&self, file: NamedTempFile, digest: &Digest) -> io::Result<()> {
        let path = self.path(digest);
        let folder = path.parent().unwrap_or(&self.blobs);
        if !folder.is_dir() {
            owner_only().create(folder)?;
        }
        // Always: who made the folder may not have come to this yet.
        File::open(&self.blobs)?.sync_all()?;
        file.as_file().set_modified(self.now())?;
        file.as_file().sync_all()?;
        // Not between another's look at the old file and its deletion: the new one would go.
        let lock = self.lock()?;
        lock.lock_shared()?;
        file.persist(&path).map_err(|error| error.error)?;
        drop(lock);
        File::open(folder)?.sync_all()
    }

    /// Opens a blob and looks at all of it.
    fn look(&self, digest: &Digest) -> io::Result<Look> {
        let file = match File::open(self.path(digest)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Look::Missing),
            Err(error) => return Err(error),
        };
        let opened = self.form.open(file).and_then(|content| {
            let (size, found) = content.digest()?;
            Ok((content, size, found))
        });
        match opened {
            Ok((content, size, found)) if found == *digest => Ok(Look::Whole(content, size)),
            Ok(_) | Err(Unreadable::Damaged) => Ok(Look::Damaged),
            Err(Unreadable::Io(error)) => Err(error),
        }
    }
}

/// What is found under a digest.
enum Look {
    Missing,
    /// Not what the digest says.
    Damaged,
    /// The blob and its size.
    Whole(Content, u64),
}

/// What is in a folder, in order.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let names = entries.iter().map(fs::DirEntry::file_name);
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
        let writer = Writer::begin(Arc::clone(&self.0)).await?;
        Ok(Box::new(writer))
    }

    async fn open(&self, digest: &Digest) -> Result<Box<dyn BlobReader>, BlobError> {
        let (places, digest) = (Arc::clone(&self.0), *digest);
        let place = places.path(&digest).display().to_string();
        let opened = tokio::task::spawn_blocking(move || places.look(&digest))
            .await
            .map_err(anyhow::Error::from)?
            .with_context(|| format!("cannot read {place}"))?;
        match opened {
            Look::Missing => Err(BlobError::Missing(digest)),
            Look::Damaged => Err(BlobError::Corrupt { digest, place }),
            Look::Whole(content, size) => Ok(Box::new(Reader {
                content: Arc::new(content),
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
                let found = places
                    .look(&digest)
                    .with_context(|| format!("cannot read {}", place.display()))?;
                let (content, size) = match found {
                    Look::Whole(content, size) => (content, size),
                    Look::Missing => return Ok(None),
                    Look::Damaged => {
                        tracing::warn!(place = %place.display(), "a blob is damaged and will not be used");
                        return Ok(None);
                    }
                };
                let marked = places.mark_used(content.file(), &digest);
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

struct Reader {
    content: Arc<Content>,
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
        let content = Arc::clone(&self.content);
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; length as usize];
            content.read_exact_at(&mut bytes, offset).map(|()| bytes)
        });
        match read.await? {
            Ok(bytes) => Ok(bytes),
            Err(Unreadable::Damaged) => anyhow::bail!("{} was damaged while in use", self.place),
            Err(Unreadable::Io(error)) => {
                Err(error).with_context(|| format!("cannot read {}", self.place))
            }
        }
    }
}
