//! Blobs in memory.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{
    contract::Digest,
    store::{BlobError, BlobReader, BlobWriter, Blobs, Clock, Listed},
};

/// Blobs in memory.
pub(super) struct MemoryBlobs(Arc<Shelf>);

struct Shelf {
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    blobs: BTreeMap<Digest, Blob>,
    /// How often any blob was written or touched.
    uses: u64,
}

struct Blob {
    bytes: Arc<Vec<u8>>,
    used: u64,
    mark: u64,
}

impl MemoryBlobs {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let kept = Mutex::default();
        Self(Arc::new(Shelf { clock, kept }))
    }
}

impl Shelf {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks a blob as used now, and makes it where there is none and its bytes are given.
    fn used(&self, digest: Digest, bytes: Option<Vec<u8>>) -> Option<u64> {
        let now = self.clock.now();
        let mut kept = self.kept();
        kept.uses += 1;
        let mark = kept.uses;
        if let Some(blob) = kept.blobs.get_mut(&digest) {
            (blob.used, blob.mark) = (now, mark);
            return Some(blob.bytes.len() as u64);
        }
        let bytes = Arc::new(bytes?);
        let size = bytes.len() as u64;
        let used = now;
        kept.blobs.insert(digest, Blob { bytes, used, mark });
        Some(size)
    }
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn create(&self) -> anyhow::Result<Box<dyn BlobWriter>> {
        Ok(Box::new(Writer {
            shelf: Arc::clone(&self.0),
            bytes: Vec::new(),
        }))
    }

    async fn open(&self, digest: &Digest) -> Result<Box<dyn BlobReader>, BlobError> {
        let kept = self.0.kept();
        let blob = kept.blobs.get(digest).ok_or(BlobError::Missing(*digest))?;
        Ok(Box::new(Reader(Arc::clone(&blob.bytes))))
    }

    async fn touch(&self, digest: &Digest) -> anyhow::Result<Option<u64>> {
        Ok(self.0.used(*digest, None))
    }

    async fn list(&self, after: Option<&Digest>, limit: usize) -> anyhow::Result<Vec<Listed>> {
        let start = after.map_or(Bound::Unbounded, |after| Bound::Excluded(*after));
        let kept = self.0.kept();
        let range = kept.blobs.range((start, Bound::Unbounded));
        Ok(range
            .take(limit)
            .map(|(digest, blob)| Listed {
                digest: *digest,
                size: blob.bytes.len() as u64,
                used: blob.used,
                mark: blob.mark.to_string(),
            })
            .collect())
    }

    async fn remove(&self, listed: &Listed) -> anyhow::Result<bool> {
        let mut kept = self.0.kept();
        let there = kept.blobs.get(&listed.digest);
        let unchanged = there.is_some_and(|blob| blob.mark.to_string() == listed.mark);
        if unchanged {
            kept.blobs.remove(&listed.digest);
        }
        Ok(unchanged)
    }
}

struct Writer {
    shelf: Arc<Shelf>,
    bytes: Vec<u8>,
}

#[async_trait]
impl BlobWriter for Writer {
    async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> anyhow::Result<(Digest, u64)> {
        let digest = Digest::of(&self.bytes);
        let size = self.bytes.len() as u64;
        self.shelf.used(digest, Some(self.bytes));
        Ok((digest, size))
    }
}

struct Reader(Arc<Vec<u8>>);

#[async_trait]
impl BlobReader for Reader {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    async fn read(&self, offset: u64, length: u32) -> anyhow::Result<Vec<u8>> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(length as usize).min(self.0.len());
        Ok(self.0.get(start..end).unwrap_or_default().to_vec())
    }
}
