//! Blobs that are written beside a store and not into it: what a component writes when it is only
//! tried is in memory, and gone with the trial.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    contract::Digest,
    store::{BlobError, BlobReader, BlobWriter, Blobs, Listed, memory},
};

/// What is written, over what is there.
pub(crate) struct Overlay {
    under: Arc<dyn Blobs>,
    own: Arc<dyn Blobs>,
}

impl Overlay {
    /// Over `under`, which is read and never written.
    pub(crate) fn over(under: &Arc<dyn Blobs>) -> Arc<dyn Blobs> {
        Arc::new(Self {
            under: Arc::clone(under),
            own: memory().blobs,
        })
    }
}

#[async_trait]
impl Blobs for Overlay {
    async fn create(&self) -> anyhow::Result<Box<dyn BlobWriter>> {
        self.own.create().await
    }

    async fn open(&self, digest: &Digest) -> Result<Box<dyn BlobReader>, BlobError> {
        match self.own.open(digest).await {
            Err(BlobError::Missing(_)) => self.under.open(digest).await,
            opened => opened,
        }
    }

    async fn touch(&self, digest: &Digest) -> anyhow::Result<Option<u64>> {
        match self.own.touch(digest).await? {
            Some(size) => Ok(Some(size)),
            None => self.under.touch(digest).await,
        }
    }

    async fn list(&self, after: Option<&Digest>, limit: usize) -> anyhow::Result<Vec<Listed>> {
        self.own.list(after, limit).await
    }

    async fn remove(&self, listed: &Listed) -> anyhow::Result<bool> {
        self.own.remove(listed).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_does_not_come_below() {
        let under = memory().blobs;
        let there = under.put(b"there").await.unwrap();
        let over = Overlay::over(&under);
        assert_eq!(over.get(&there, 9).await.unwrap(), b"there");
        let new = over.put(b"new").await.unwrap();
        assert_eq!(over.get(&new, 9).await.unwrap(), b"new");
        assert_eq!(over.touch(&new).await.unwrap(), Some(3));
        assert_eq!(over.touch(&there).await.unwrap(), Some(5));
        assert_eq!(under.touch(&new).await.unwrap(), None);
        let listed = over.list(None, 9).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert!(over.remove(&listed[0]).await.unwrap());
    }
}
