//! Blobs in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;

use crate::{
    contract::Digest,
    store::{BlobError, BlobReader, BlobWriter, Blobs},
};

type Kept = Arc<Mutex<BTreeMap<Digest, Arc<Vec<u8>>>>>;

/// Blobs in memory.
#[derive(Default)]
pub(super) struct MemoryBlobs(Kept);

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn create(&self) -> anyhow::Result<Box<dyn BlobWriter>> {
        Ok(Box::new(Writer {
            kept: Arc::clone(&self.0),
            bytes: Vec::new(),
        }))
    }

    async fn open(&self, digest: &Digest) -> Result<Box<dyn BlobReader>, BlobError> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = kept.get(digest).ok_or(BlobError::Missing(*digest))?;
        Ok(Box::new(Reader(Arc::clone(bytes))))
    }

    async fn touch(&self, digest: &Digest) -> anyhow::Result<Option<u64>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(kept.get(digest).map(|bytes| bytes.len() as u64))
    }
}

struct Writer {
    kept: Kept,
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
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entry(digest).or_insert(Arc::new(self.bytes));
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
