//! Blobs in memory that can break.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use septet::{
    contract::Digest,
    store::{BlobError, BlobReader, BlobWriter, Blobs, Listed},
};

#[derive(Default)]
pub(crate) struct TestBlobs {
    stored: Arc<Mutex<BTreeMap<Digest, Arc<Vec<u8>>>>>,
    /// Every operation fails.
    pub(crate) broken: Arc<AtomicBool>,
    /// Milliseconds that a read takes.
    pub(crate) delay: Arc<AtomicU64>,
}

struct Open {
    bytes: Arc<Vec<u8>>,
    broken: Arc<AtomicBool>,
    delay: Arc<AtomicU64>,
}

struct Writing {
    bytes: Vec<u8>,
    stored: Arc<Mutex<BTreeMap<Digest, Arc<Vec<u8>>>>>,
    broken: Arc<AtomicBool>,
}

fn whole(broken: &AtomicBool) -> anyhow::Result<()> {
    anyhow::ensure!(!broken.load(Ordering::Relaxed), "the disk is on fire");
    Ok(())
}

impl TestBlobs {
    pub(crate) fn insert(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let bytes = Arc::new(bytes.to_vec());
        self.stored.lock().unwrap().insert(digest, bytes);
        digest
    }

    pub(crate) fn bytes(&self, digest: &Digest) -> Vec<u8> {
        self.stored.lock().unwrap()[digest].to_vec()
    }

    pub(crate) fn count(&self) -> usize {
        self.stored.lock().unwrap().len()
    }
}

#[async_trait::async_trait]
impl Blobs for TestBlobs {
    async fn create(&self) -> anyhow::Result<Box<dyn BlobWriter>> {
        whole(&self.broken)?;
        Ok(Box::new(Writing {
            bytes: Vec::new(),
            stored: Arc::clone(&self.stored),
            broken: Arc::clone(&self.broken),
        }))
    }

    async fn open(&self, digest: &Digest) -> Result<Box<dyn BlobReader>, BlobError> {
        whole(&self.broken)?;
        let bytes = self.stored.lock().unwrap().get(digest).cloned();
        let bytes = bytes.ok_or(BlobError::Missing(*digest))?;
        if Digest::of(&bytes) != *digest {
            let place = "memory".to_owned();
            return Err(BlobError::Corrupt {
                digest: *digest,
                place,
            });
        }
        Ok(Box::new(Open {
            bytes,
            broken: Arc::clone(&self.broken),
            delay: Arc::clone(&self.delay),
        }))
    }

    async fn touch(&self, digest: &Digest) -> anyhow::Result<Option<u64>> {
        whole(&self.broken)?;
        let stored = self.stored.lock().unwrap();
        Ok(stored.get(digest).map(|bytes| bytes.len() as u64))
    }

    async fn list(&self, _: Option<&Digest>, _: usize) -> anyhow::Result<Vec<Listed>> {
        anyhow::bail!("a stage does not list blobs")
    }

    async fn remove(&self, _: &Listed) -> anyhow::Result<bool> {
        anyhow::bail!("a stage does not remove blobs")
    }
}

#[async_trait::async_trait]
impl BlobReader for Open {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    async fn read(&self, offset: u64, length: u32) -> anyhow::Result<Vec<u8>> {
        whole(&self.broken)?;
        let delay = self.delay.load(Ordering::Relaxed);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        let start = (offset as usize).min(self.bytes.len());
        let end = (start + length as usize).min(self.bytes.len());
        Ok(self.bytes[start..end].to_vec())
    }
}

#[async_trait::async_trait]
impl BlobWriter for Writing {
    async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        whole(&self.broken)?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> anyhow::Result<(Digest, u64)> {
        whole(&self.broken)?;
        let size = self.bytes.len() as u64;
        let digest = Digest::of(&self.bytes);
        self.stored
            .lock()
            .unwrap()
            .insert(digest, Arc::new(self.bytes));
        Ok((digest, size))
    }
}
