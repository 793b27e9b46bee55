//! Blobs of the store's own account that others have written.

use async_trait::async_trait;
use url::Url;

use crate::store::azure::{Azure, CopiedIn};

/// Reads blobs of the account that the store is in.
#[async_trait]
pub trait Incoming: Send + Sync {
    /// The address of the account's blobs.
    fn endpoint(&self) -> &Url;

    /// Reads a blob of at most `most` bytes into the store; with `etag`, only that content of it.
    async fn copy_in(
        &self,
        container: &str,
        name: &str,
        etag: Option<&str>,
        most: u64,
    ) -> anyhow::Result<CopiedIn>;
}

#[async_trait]
impl Incoming for Azure {
    fn endpoint(&self) -> &Url {
        Self::endpoint(self)
    }

    async fn copy_in(
        &self,
        container: &str,
        name: &str,
        etag: Option<&str>,
        most: u64,
    ) -> anyhow::Result<CopiedIn> {
        Self::copy_in(self, container, name, etag, most).await
    }
}
