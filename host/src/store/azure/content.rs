//! Bytes on this machine, on their way to or from the service: few in memory, many in a file that
//! has no name. And those that were checked already, for a while.

use std::{
    fs::File,
    io::Write as _,
    mem,
    os::unix::fs::FileExt as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use crate::contract::Digest;

/// Up to this many bytes stay in memory.
const MEMORY: usize = 8 << 20;

/// What all checked blobs that are kept may have, in memory and in files.
const KEPT_IN_MEMORY: u64 = 128 << 20;
const KEPT_IN_FILES: u64 = 4 << 30;

/// Bytes that do not change any more.
pub(super) enum Content {
    Memory(Vec<u8>),
    File(File, u64),
}

impl Content {
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, size) => *size,
        }
    }

    /// At most `length` bytes from `offset`: fewer only at the end.
    pub(super) fn read(&self, offset: u64, length: u32) -> anyhow::Result<Vec<u8>> {
        let left = self.size().saturating_sub(offset).min(u64::from(length));
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let end = start.saturating_add(left as usize);
                Ok(bytes.get(start..end).unwrap_or_default().to_vec())
            }
            Self::File(file, _) => {
                let mut bytes = vec![0; left as usize];
                file.read_exact_at(&mut bytes, offset)
                    .context("a temporary file can't be read")?;
                Ok(bytes)
            }
        }
    }
}

/// Bytes being gathered and hashed.
#[derive(Default)]
pub(super) struct Gathered {
    memory: Vec<u8>,
    file: Option<File>,
    hasher: Sha256,
    size: u64,
}

impl Gathered {
    /// Adds bytes at the end.
    pub(super) fn add(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let full = "a temporary file can't be written";
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        if let Some(file) = &mut self.file {
            return file.write_all(bytes).context(full);
        }
        if self.memory.len() + bytes.len() <= MEMORY {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        let mut file = tempfile::tempfile().context("there can be no temporary file")?;
        file.write_all(&mem::take(&mut self.memory)).context(full)?;
        file.write_all(bytes).context(full)?;
        self.file = Some(file);
        Ok(())
    }

    /// What was gathered, and its digest.
    pub(super) fn finish(self) -> (Digest, Content) {
        let digest = Digest::from_bytes(self.hasher.finalize().into());
        let content = match self.file {
            Some(file) => Content::File(file, self.size),
            None => Content::Memory(self.memory),
        };
        (digest, content)
    }
}

/// Contents that were checked, the last ones.
#[derive(Default)]
pub(super) struct Shelf(Mutex<Vec<(Digest, Arc<Content>)>>);

impl Shelf {
    pub(super) fn get(&self, digest: &Digest) -> Option<Arc<Content>> {
        let mut kept = self.kept();
        let at = kept.iter().position(|(kept, _)| kept == digest)?;
        // The last in the list is the last used.
        let found = kept.remove(at);
        let content = Arc::clone(&found.1);
        kept.push(found);
        Some(content)
    }

    pub(super) fn put(&self, digest: Digest, content: Arc<Content>) {
        let mut kept = self.kept();
        kept.retain(|(kept, _)| *kept != digest);
        kept.push((digest, content));
        let (mut memory, mut files) = (0_u64, 0_u64);
        let mut fits = |content: &Content| {
            let (sum, most) = match content {
                Content::Memory(_) => (&mut memory, KEPT_IN_MEMORY),
                Content::File(..) => (&mut files, KEPT_IN_FILES),
            };
            *sum = sum.saturating_add(content.size());
            *sum <= most
        };
        let mut keep: Vec<bool> = kept
            .iter()
            .rev()
            .map(|(_, content)| fits(content))
            .collect();
        kept.retain(|_| keep.pop().unwrap_or_default());
    }

    pub(super) fn forget(&self, digest: &Digest) {
        self.kept().retain(|(kept, _)| kept != digest);
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(Digest, Arc<Content>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(bytes: &[u8]) -> (Digest, Content) {
        let mut gathered = Gathered::default();
        for part in bytes.chunks(1 << 20) {
            gathered.add(part).unwrap();
        }
        gathered.finish()
    }

    #[test]
    fn many_bytes_go_to_a_file_and_read_the_same() {
        let many: Vec<u8> = (0..MEMORY + 5).map(|i| (i % 251) as u8).collect();
        for bytes in [&many[..], &many[..10], &[]] {
            let (digest, content) = gathered(bytes);
            assert_eq!(digest, Digest::of(bytes));
            assert_eq!(matches!(content, Content::File(..)), bytes.len() > MEMORY);
            assert_eq!(content.read(0, u32::MAX).unwrap(), bytes);
            let tail = bytes.len().saturating_sub(3);
            assert_eq!(content.read(tail as u64, 100).unwrap(), bytes[tail..]);
            assert!(content.read(u64::MAX, 9).unwrap().is_empty());
        }
    }

    #[test]
    fn what_was_used_last_is_kept() {
        let shelf = Shelf::default();
        let large = vec![0; MEMORY];
        let first = Digest::of(b"first");
        for number in 0..20_u8 {
            let content = Arc::new(Content::Memory(large.clone()));
            shelf.put(Digest::of(&[number]), content);
            shelf.put(first, Arc::new(Content::Memory(b"first".to_vec())));
        }
        assert!(shelf.get(&first).is_some());
        assert!(shelf.get(&Digest::of(&[19])).is_some());
        assert!(shelf.get(&Digest::of(&[0])).is_none());
        shelf.forget(&first);
        assert!(shelf.get(&first).is_none());
    }
}
