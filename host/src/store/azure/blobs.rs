//! Content-addressed blobs: each is a blob of the service, under its sha-256.
//!
//! Bytes from the service are checked before anyone sees them, and kept for a while: a blob never
//! changes, so it is fetched once by a process that needs it often.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;

use super::{
    account::{Account, CAS},
    container::Container,
    content::{Content, Gathered, Shelf},
    trouble::is_missing,
    upload,
};
use crate::{
    contract::Digest,
    store::{BlobError, BlobReader, BlobWriter, Blobs, Listed},
};

/// Blobs in a container.
pub(super) struct AzureBlobs(Arc<Cas>);

/// What the blobs' readers and writers share.
pub(super) struct Cas {
    pub(super) container: Container,
    shelf: Shelf,
}

impl AzureBlobs {
    pub(super) fn new(account: &Account) -> anyhow::Result<Self> {
        Ok(Self(Arc::new(Cas {
            container: account.container(CAS)?,
            shelf: Shelf::default(),
        })))
    }
}

impl Cas {
    /// Fetches a blob and checks it.
    async fn fetch(&self, digest: &Digest) -> Result<Content, BlobError> {
        let name = digest.to_string();
        let explain = |error| self.container.explain(&error);
        let mut body = match self.container.blob(&name).download(None).await {
            Ok(result) => result.body,
            Err(error) if is_missing(&error) => return Err(BlobError::Missing(*digest)),
            Err(error) => return Err(BlobError::Backend(explain(error))),
        };
        let mut gathered = Gathered::default();
        while let Some(piece) = body.try_next().await.map_err(explain)? {
            gathered.add(&piece)?;
        }
        let (found, content) = gathered.finish();
        if found == *digest {
            return Ok(content);
        }
        Err(BlobError::Corrupt {
            digest: *digest,
            place: format!("blob {name} of the container {CAS}"),
        })
    }
}

#[async_trait]
impl Blobs for AzureBlobs {
    async fn create(&self) -> anyhow::Result<Box<dyn BlobWriter>> {
        Ok(Box::new(Writer {
            cas: Arc::clone(&self.0),
            gathered: Gathered::default(),
        }))
    }

    async fn open(&self, digest: &Digest) -> Result<Box<dyn BlobReader>, BlobError> {
        if let Some(content) = self.0.shelf.get(digest) {
            // It may have been deleted since; one that is there is what it was.
            if self.0.container.size(&digest.to_string()).await? == Some(content.size()) {
                return Ok(Box::new(Reader(content)));
            }
            self.0.shelf.forget(digest);
        }
        let content = Arc::new(self.0.fetch(digest).await?);
        self.0.shelf.put(*digest, Arc::clone(&content));
        Ok(Box::new(Reader(content)))
    }

    async fn touch(&self, digest: &Digest) -> anyhow::Result<Option<u64>> {
        if !upload::touch(&self.0.container, digest).await? {
            return Ok(None);
        }
        // The size of a content never changes.
        if let Some(content) = self.0.shelf.get(digest) {
            return Ok(Some(content.size()));
        }
        self.0.container.size(&digest.to_string()).await
    }

    async fn list(&self, after: Option<&Digest>, limit: usize) -> anyhow::Result<Vec<Listed>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let from = after.map(ToString::to_string);
        let most = limit.saturating_add(1);
        let found = self
            .0
            .container
            .list("", from.as_deref(), most, false)
            .await?;
        let listed = found.into_iter().filter_map(|item| {
            // What has no digest for a name was not written by us.
            let digest: Digest = item.name?.parse().ok()?;
            let properties = item.properties?;
            let used = properties.last_modified?.unix_timestamp();
            Some(Listed {
                digest,
                size: properties.content_length.unwrap_or_default(),
                used: u64::try_from(used).unwrap_or_default().saturating_mul(1000),
                mark: properties.etag?.to_string(),
            })
        });
        let listed = listed.filter(|blob| after.is_none_or(|after| blob.digest > *after));
        Ok(listed.take(limit).collect())
    }

    async fn remove(&self, listed: &Listed) -> anyhow::Result<bool> {
        let name = listed.digest.to_string();
        let removed = self.0.container.delete(&name, Some(&listed.mark)).await?;
        if removed {
            self.0.shelf.forget(&listed.digest);
        }
        Ok(removed)
    }
}

/// A blob being written: gathered here, since its address is known only at the end.
struct Writer {
    cas: Arc<Cas>,
    gathered: Gathered,
}

#[async_trait]
impl BlobWriter for Writer {
    async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.gathered.add(bytes)
    }

    async fn finish(self: Box<Self>) -> anyhow::Result<(Digest, u64)> {
        let (digest, content) = self.gathered.finish();
        let size = content.size();
        upload::upload(&self.cas.container, &digest, &content).await?;
        // Whoever wrote it often reads it next.
        self.cas.shelf.put(digest, Arc::new(content));
        Ok((digest, size))
    }
}

struct Reader(Arc<Content>);

#[async_trait]
impl BlobReader for Reader {
    fn size(&self) -> u64 {
        self.0.size()
    }

    async fn read(&self, offset: u64, length: u32) -> anyhow::Result<Vec<u8>> {
        self.0.read(offset, length)
    }
}
