//! A container of blobs: what the records, the blobs and the cards of messages are made with.

use std::collections::HashMap;

use anyhow::ensure;
use azure_core::{
    Bytes, Error,
    http::{Etag, RequestContent, headers::HeaderName, pager::PageIterator},
};
use azure_storage_blob::{
    BlobClient, BlobContainerClient,
    models::{
        BlobClientDeleteOptions, BlobClientDownloadOptions,
        BlobClientGetPropertiesResultHeaders as _, BlobClientSetMetadataOptions,
        BlobClientUploadOptions, BlobContainerClientListBlobsOptions, BlobItem,
        BlockBlobClientCommitBlockListOptions, BlockLookupList, ListBlobsIncludeItem,
    },
};
use futures_util::TryStreamExt as _;

use super::trouble::{Place, is_missing, is_taken};

/// Most that is listed by one request: the service's own bound.
pub(super) const PAGE: usize = 5000;

const ETAG: HeaderName = HeaderName::from_static("etag");

/// The metadata of a blob.
pub(super) type Metadata = HashMap<String, String>;

/// A container.
pub(super) struct Container {
    client: BlobContainerClient,
    place: Place,
}

/// A small blob that was read whole.
pub(super) struct Held {
    pub(super) bytes: Bytes,
    pub(super) metadata: Metadata,
    pub(super) etag: String,
}

/// What came of a write that another may have been faster at.
pub(super) enum Written {
    /// It was written; the blob is now this version.
    Done(String),
    /// It was there already, or not as expected.
    Taken,
}

impl Container {
    pub(super) fn new(client: BlobContainerClient, place: Place) -> Self {
        Self { client, place }
    }

    pub(super) fn explain(&self, error: &Error) -> anyhow::Error {
        self.place.explain(error)
    }

    /// Whether it is there: asked by what needs no more than to read.
    pub(super) async fn exists(&self) -> anyhow::Result<bool> {
        let options = BlobContainerClientListBlobsOptions {
            maxresults: Some(1),
            ..BlobContainerClientListBlobsOptions::default()
        };
        let pages = self.client.list_blobs(Some(options));
        let mut pages = pages.map_err(|error| self.explain(&error))?.into_pages();
        match pages.try_next().await {
            Ok(_) => Ok(true),
            Err(error) if super::trouble::code(&error) == Some("ContainerNotFound") => Ok(false),
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// Makes it; it is no error where it is there.
    pub(super) async fn make(&self) -> anyhow::Result<()> {
        match self.client.create(None).await {
            Ok(_) => Ok(()),
            Err(error) if is_taken(&error) => Ok(()),
            Err(error) => Err(self.explain(&error)),
        }
    }

    pub(super) fn blob(&self, name: &str) -> BlobClient {
        self.client.blob_client(name)
    }

    /// Writes a blob where there is none.
    pub(super) async fn create(
        &self,
        name: &str,
        bytes: Bytes,
        metadata: Option<Metadata>,
    ) -> anyhow::Result<Written> {
        let options = BlobClientUploadOptions {
            if_none_match: Some(Etag::from("*")),
            metadata,
            partition_size: std::num::NonZero::new(256 << 20),
            ..BlobClientUploadOptions::default()
        };
        let content = RequestContent::from(bytes.to_vec());
        match self.blob(name).upload(content, Some(options)).await {
            Ok(done) => Ok(Written::Done(
                done.etag.map(|etag| etag.to_string()).unwrap_or_default(),
            )),
            Err(error) if is_taken(&error) => Ok(Written::Taken),
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// Uploads a block of a blob that is not there yet.
    pub(super) async fn stage(
        &self,
        name: &str,
        block: &[u8],
        bytes: Vec<u8>,
    ) -> anyhow::Result<()> {
        let length = bytes.len() as u64;
        let client = self.blob(name).block_blob_client();
        let staged = client.stage_block(block, length, RequestContent::from(bytes), None);
        staged.await.map(drop).map_err(|error| self.explain(&error))
    }

    /// Makes a blob of its blocks where there is none. `Taken` too where the blocks are gone: that is
    /// so when another made the blob of them.
    pub(super) async fn commit(&self, name: &str, blocks: Vec<Vec<u8>>) -> anyhow::Result<Written> {
        let options = BlockBlobClientCommitBlockListOptions {
            if_none_match: Some(Etag::from("*")),
            ..BlockBlobClientCommitBlockListOptions::default()
        };
        let list = BlockLookupList {
            latest: Some(blocks),
            ..BlockLookupList::default()
        };
        let list = list.try_into().map_err(|error| self.explain(&error))?;
        let client = self.blob(name).block_blob_client();
        match client.commit_block_list(list, Some(options)).await {
            Ok(_) => Ok(Written::Done(String::new())),
            Err(error) if is_taken(&error) => Ok(Written::Taken),
            Err(error) if super::trouble::code(&error) == Some("InvalidBlockList") => {
                Ok(Written::Taken)
            }
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// A blob of at most `most` bytes, if it is there.
    pub(super) async fn get(&self, name: &str, most: u64) -> anyhow::Result<Option<Held>> {
        let options = BlobClientDownloadOptions {
            partition_size: std::num::NonZero::new(4 << 20),
            ..BlobClientDownloadOptions::default()
        };
        let result = match self.blob(name).download(Some(options)).await {
            Ok(result) => result,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(self.explain(&error)),
        };
        let mut body = result.body;
        let mut bytes = Vec::new();
        while let Some(piece) = body
            .try_next()
            .await
            .map_err(|error| self.explain(&error))?
        {
            let fits = bytes.len() as u64 + piece.len() as u64 <= most;
            ensure!(
                fits,
                "{name} in {} has more than the {most} bytes that are read of it",
                self.place.what
            );
            bytes.extend_from_slice(&piece);
        }
        let etag = result.properties.etag;
        Ok(Some(Held {
            bytes: bytes.into(),
            metadata: result.properties.metadata,
            etag: etag.map(|etag| etag.to_string()).unwrap_or_default(),
        }))
    }

    /// The size of a blob, if it is there.
    pub(super) async fn size(&self, name: &str) -> anyhow::Result<Option<u64>> {
        match self.blob(name).get_properties(None).await {
            Ok(found) => {
                let size = found
                    .content_length()
                    .map_err(|error| self.explain(&error))?;
                Ok(Some(size.unwrap_or_default()))
            }
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// Replaces the metadata of a blob, if it is this version, or whatever version it is. That makes
    /// it a new version. `Taken` where it is another or none.
    pub(super) async fn set(
        &self,
        name: &str,
        metadata: &Metadata,
        version: Option<&str>,
    ) -> anyhow::Result<Written> {
        let options = BlobClientSetMetadataOptions {
            if_match: version.map(|version| Etag::from(version.to_owned())),
            ..BlobClientSetMetadataOptions::default()
        };
        match self.blob(name).set_metadata(metadata, Some(options)).await {
            Ok(done) => {
                let etag = done.headers().get_optional_str(&ETAG);
                Ok(Written::Done(etag.unwrap_or_default().to_owned()))
            }
            Err(error) if is_missing(&error) || is_taken(&error) => Ok(Written::Taken),
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// Deletes a blob, if it is this version, or whatever version it is; false where it is another
    /// or none.
    pub(super) async fn delete(&self, name: &str, version: Option<&str>) -> anyhow::Result<bool> {
        let options = BlobClientDeleteOptions {
            if_match: version.map(|version| Etag::from(version.to_owned())),
            ..BlobClientDeleteOptions::default()
        };
        match self.blob(name).delete(Some(options)).await {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) || is_taken(&error) => Ok(false),
            Err(error) => Err(self.explain(&error)),
        }
    }

    /// Blobs whose name begins with `prefix`, in order, from the name `from` on, that included; with
    /// their metadata where that is asked for. At most `limit`.
    pub(super) async fn list(
        &self,
        prefix: &str,
        from: Option<&str>,
        limit: usize,
        metadata: bool,
    ) -> anyhow::Result<Vec<BlobItem>> {
        let page = i32::try_from(limit.clamp(1, PAGE)).unwrap_or(i32::MAX);
        let options = BlobContainerClientListBlobsOptions {
            prefix: Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()),
            start_from: from.map(str::to_owned),
            maxresults: Some(page),
            include: metadata.then(|| vec![ListBlobsIncludeItem::Metadata]),
            ..BlobContainerClientListBlobsOptions::default()
        };
        let pages = self.client.list_blobs(Some(options));
        let mut pages: PageIterator<_> = pages.map_err(|error| self.explain(&error))?.into_pages();
        let mut found = Vec::new();
        while found.len() < limit {
            let page = pages
                .try_next()
                .await
                .map_err(|error| self.explain(&error))?;
            let Some(page) = page else { break };
            let page = page.into_model().map_err(|error| self.explain(&error))?;
            found.extend(page.blob_items);
        }
        found.truncate(limit);
        Ok(found)
    }
}
