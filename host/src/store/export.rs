//! From a blob to a file of a user.

use std::{
    fs::Permissions,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use tempfile::{Builder, NamedTempFile};

use super::Blobs;
use crate::contract::Digest;

/// Bytes that are read at a time.
const PIECE: u32 = 1 << 20;

/// Hands a blob on, piece by piece.
pub async fn copy(
    blobs: &dyn Blobs,
    digest: &Digest,
    mut put: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let reader = blobs.open(digest).await?;
    let mut offset = 0;
    while offset < reader.size() {
        let piece = reader.read(offset, PIECE).await?;
        ensure!(!piece.is_empty(), "blob {digest} ends too early");
        put(&piece)?;
        offset += piece.len() as u64;
    }
    Ok(())
}

/// A file that is there whole or not at all.
#[derive(Debug)]
pub struct Target {
    path: PathBuf,
    file: NamedTempFile,
}

impl Target {
    /// A file at `path`, under a hidden name of its own until it is filled: where it can't be
    /// made, that is known before there is anything to write.
    pub fn new(path: &Path) -> anyhow::Result<Self> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        // Readable by whom the user lets read, as any file that a program writes.
        let file = Builder::new()
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .with_context(|| format!("{} can't be written", path.display()))?;
        let path = path.to_owned();
        Ok(Self { path, file })
    }

    /// Writes the blob, and puts the file where it belongs: in the place of one that was there.
    pub async fn fill(mut self, blobs: &dyn Blobs, digest: &Digest) -> anyhow::Result<()> {
        let shown = || format!("{} can't be written", self.path.display());
        let file = &mut self.file;
        copy(blobs, digest, |bytes| {
            file.write_all(bytes).with_context(shown)
        })
        .await?;
        self.file.as_file().sync_all().with_context(shown)?;
        let kept = self.file.persist(&self.path);
        kept.map(drop)
            .with_context(|| format!("{} can't be written", self.path.display()))
    }
}
