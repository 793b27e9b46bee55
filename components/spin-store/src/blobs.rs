//! The trait [`Blobs`] over a [`Shelf`].

use async_trait::async_trait;
use septet_core::{
    contract::Digest,
    store::{BlobError, BlobReader, BlobWriter, Blobs, Listed},
};

use crate::{Shelf, Upload};

#[async_trait]
impl Blobs for Shelf {
    async fn create(&self) -> anyhow::Result<Box<dyn BlobWriter>> {
        Ok(Box::new(self.begin("")?))
    }

    async fn open(&self, digest: &Digest) -> Result<Box<dyn BlobReader>, BlobError> {
        let (_, bytes) = self.read(digest)?;
        Ok(Box::new(Reader(bytes)))
    }

    async fn touch(&self, digest: &Digest) -> anyhow::Result<Option<u64>> {
        Self::touch(self, digest)
    }

    async fn list(&self, after: Option<&Digest>, limit: usize) -> anyhow::Result<Vec<Listed>> {
        Self::list(self, after, limit)
    }

    async fn remove(&self, listed: &Listed) -> anyhow::Result<bool> {
        Self::remove(self, listed)
    }
}

#[async_trait]
impl BlobWriter for Upload {
    async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Self::write(self, bytes)
    }

    async fn finish(self: Box<Self>) -> anyhow::Result<(Digest, u64)> {
        let (digest, head) = Self::finish(*self)?;
        Ok((digest, head.size))
    }
}

/// A blob in memory, so that it stays as it is for who has it open.
struct Reader(Vec<u8>);

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
