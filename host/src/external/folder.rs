//! The fresh folder of a command: what it is given, and what it has left there.
//!
//! What the command left is anybody's: links are not followed, and nothing is read that is no plain file
//! below the folder.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    path::{Component, Path, PathBuf},
};

use anyhow::Context as _;
use tempfile::TempDir;

use super::{definition::File, document::Place};
use septet_core::media;

use crate::{contract::Artifact, store::Blobs};

/// What a stage in Python imports as `septet`.
const HELPER: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/helper.rs"));

/// How much of a blob is copied at once.
const PIECE: u32 = 1 << 20;

/// Entries of the folder that are counted when its size is asked for.
const MAX_ENTRIES: usize = 100_000;

/// A folder of one call, deleted with all that is in it when the call is over.
pub(super) struct Folder(TempDir);

impl Folder {
    /// A folder that only this user may enter, with the stage's files and the helper for Python.
    pub(super) fn new(files: &[File]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("septet-").tempdir();
        let folder = Self(folder.context("a folder for the call can't be made")?);
        for name in ["inputs", "outputs", "tmp"] {
            fs::create_dir(folder.path().join(name))?;
        }
        for (name, text) in HELPER {
            folder.put(Path::new(name), text.as_bytes(), false)?;
        }
        for file in files {
            folder.put(&file.path, &file.bytes, file.executable)?;
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file at a place that is below the folder.
    pub(super) fn put(&self, place: &Path, bytes: &[u8], executable: bool) -> anyhow::Result<()> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = self.path().join(place);
        let shown = place.display();
        let written = || -> std::io::Result<()> {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            let mode = if executable { 0o700 } else { 0o600 };
            let mut options = fs::OpenOptions::new();
            let mut file = options
                .write(true)
                .create(true)
                .truncate(true)
                .mode(mode)
                .open(&path)?;
            file.write_all(bytes)
        };
        written().with_context(|| format!("{shown} can't be written for the call"))
    }

    /// Copies the inputs there; where each of them is.
    pub(super) async fn add_inputs(
        &self,
        inputs: Vec<Artifact>,
        blobs: &dyn Blobs,
    ) -> anyhow::Result<Vec<(Artifact, Place)>> {
        let mut placed = Vec::with_capacity(inputs.len());
        for (at, artifact) in inputs.into_iter().enumerate() {
            // Names of artifacts are plain: it was checked before they were committed.
            let ending = media::ending(&artifact.media_type);
            let place = format!("inputs/{at:02}-{}.{ending}", artifact.name);
            let reader = blobs.open(&artifact.digest).await?;
            let mut file = fs::File::create(self.path().join(&place))
                .with_context(|| format!("{place} can't be written for the call"))?;
            let mut offset = 0;
            while offset < reader.size() {
                let piece = reader.read(offset, PIECE).await?;
                anyhow::ensure!(!piece.is_empty(), "blob {} ends too early", artifact.digest);
                offset += piece.len() as u64;
                file.write_all(&piece)
                    .with_context(|| format!("{place} can't be written for the call"))?;
            }
            placed.push((artifact, Place::Path(place)));
        }
        Ok(placed)
    }

    /// A file that the command left; the error says in a line why it is not taken.
    pub(super) fn open(&self, place: &str, most: u64) -> Result<fs::File, String> {
        let relative = Path::new(place);
        let below = relative
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if place.is_empty() || !below {
            return Err(format!("'{}' is no path below its folder", clean(place)));
        }
        let mut path = PathBuf::from(self.path());
        let parts = relative.components().count();
        for (at, part) in relative.components().enumerate() {
            path.push(part);
            let metadata = fs::symlink_metadata(&path).map_err(|error| match error.kind() {
                ErrorKind::NotFound => format!("there is no '{}'", clean(place)),
                _ => format!("'{}' can't be read: {error}", clean(place)),
            })?;
            let last = at + 1 == parts;
            if last && metadata.is_file() && metadata.len() > most {
                return Err(format!(
                    "'{}' has {} bytes, and at most {most} are taken",
                    clean(place),
                    metadata.len()
                ));
            }
            if last && !metadata.is_file() || !last && !metadata.is_dir() {
                return Err(format!("'{}' is no plain file", clean(place)));
            }
        }
        fs::File::open(&path).map_err(|error| format!("'{}' can't be read: {error}", clean(place)))
    }

    /// Bytes of all that is in the folder, about: what is being deleted meanwhile is not counted.
    pub(super) fn bytes(&self) -> u64 {
        let mut sum = 0_u64;
        let mut seen = 0;
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                seen += 1;
                if seen > MAX_ENTRIES {
                    return u64::MAX;
                }
                let Ok(metadata) = entry.metadata() else {
                    continue;
                };
                if metadata.is_dir() {
                    folders.push(entry.path());
                } else {
                    sum = sum.saturating_add(metadata.len());
                }
            }
        }
        sum
    }
}

fn clean(text: &str) -> String {
    crate::capability::clean(text, 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_below_the_folder_are_read() {
        let folder = Folder::new(&[]).unwrap();
        let path = folder.path();
        fs::write(path.join("outputs/a"), "12345").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", path.join("outputs/link")).unwrap();
        std::os::unix::fs::symlink("/etc", path.join("etc")).unwrap();
        folder.open("outputs/a", 5).unwrap();
        for (place, why) in [
            ("outputs/a", "at most 4"),
            ("outputs/b", "there is no 'outputs/b'"),
            ("outputs/link", "no plain file"),
            ("etc/passwd", "no plain file"),
            ("outputs", "no plain file"),
            ("../x", "no path below"),
            ("/etc/passwd", "no path below"),
            ("", "no path below"),
        ] {
            let error = folder.open(place, 4).unwrap_err();
            assert!(error.contains(why), "{place}: {error}");
        }
        assert!(folder.bytes() >= 5);
    }
}
