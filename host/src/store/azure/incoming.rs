//! Blobs of the account that others have written, on their way into the store.

use azure_core::http::{Etag, Url};
use azure_storage_blob::models::BlobClientDownloadOptions;
use futures_util::TryStreamExt as _;

use super::{
    Azure,
    trouble::{code, is_missing, is_taken},
};
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
    TooLarge,
}

impl Azure {
    /// The address of the account's blobs.
    pub fn endpoint(&self) -> &Url {
        self.account.blobs()
    }

    /// Reads a blob of at most `most` bytes into the store; with `etag`, only that content of it.
    /// Nothing of it is held that is more than a piece.
    pub async fn copy_in(
        &self,
        container: &str,
        name: &str,
        etag: Option<&str>,
        most: u64,
    ) -> anyhow::Result<CopiedIn> {
        let container = self.account.container(container)?;
        // Events write it without the quotes that the service wants.
        let etag = etag.map(|etag| Etag::from(format!("\"{}\"", etag.trim_matches('"'))));
        let options = BlobClientDownloadOptions {
            if_match: etag,
            partition_size: std::num::NonZero::new(4 << 20),
            ..BlobClientDownloadOptions::default()
        };
        let result = match container.blob(name).download(Some(options)).await {
            Ok(result) => result,
            Err(error) if is_missing(&error) || code(&error) == Some("ContainerNotFound") => {
                return Ok(CopiedIn::Gone);
            }
            Err(error) if is_taken(&error) => return Ok(CopiedIn::Changed),
            Err(error) => return Err(container.explain(&error)),
        };
        let etag = result.properties.etag;
        let mut body = result.body;
        let mut writer = self.store.blobs.create().await?;
        let mut size = 0_u64;
        loop {
            let piece = match body.try_next().await {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                // Later pieces are asked for by themselves.
                Err(error) if is_missing(&error) => return Ok(CopiedIn::Gone),
                Err(error) if is_taken(&error) => return Ok(CopiedIn::Changed),
                Err(error) => return Err(container.explain(&error)),
            };
            size += piece.len() as u64;
            if size > most {
                return Ok(CopiedIn::TooLarge);
            }
            writer.write(&piece).await?;
        }
        let (digest, size) = writer.finish().await?;
        let etag = etag.map(|etag| etag.to_string()).unwrap_or_default();
        Ok(CopiedIn::Copied { digest, size, etag })
    }
}
