//! Blobs of the store's own account that others have written.

use async_trait::async_trait;
use url::Url;

use crate::contract::Digest;

/// What became of reading a blob into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopiedIn {
    /// It is in the store.
    Copied {
        /// What it is known by there.
        digest: Digest,
        /// Its bytes.
        size: u64,
        /// Which content of the blob it was.
        etag: String,
    },
    /// There is no such blob, or no such container.
    Gone,
    /// It is not any more what it was.
    Changed,
    /// It has more bytes than are taken.
    TooLarge(u64),
}

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
