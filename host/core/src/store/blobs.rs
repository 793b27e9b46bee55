//! Content-addressed bytes.

use async_trait::async_trait;

use crate::contract::Digest;

/// What can be wrong with a blob, where a caller does something about it.
#[derive(Debug)]
pub enum BlobError {
    /// There is none with this digest.
    Missing(Digest),
    /// The stored bytes do not have the digest that is their address.
    Corrupt {
        /// The address.
        digest: Digest,
        /// Where the bytes are, for a person to look.
        place: String,
    },
    /// The backend failed.
    Backend(anyhow::Error),
}

impl std::fmt::Display for BlobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(digest) => write!(f, "there is no blob {digest} in the store"),
            Self::Corrupt { digest, place } => {
                write!(
                    f,
                    "blob {digest} is damaged: {place} does not have that sha-256"
                )
            }
            Self::Backend(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for BlobError {}

impl From<anyhow::Error> for BlobError {
    fn from(error: anyhow::Error) -> Self {
        Self::Backend(error)
    }
}

/// A blob as it was when it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its address.
    pub digest: Digest,
    /// Bytes that it takes in the store.
    pub size: u64,
    /// When it was last written or touched: milliseconds since 1970, UTC.
    pub used: u64,
    /// Changes whenever it is written or touched.
    pub mark: String,
}

/// Bytes whose address is their sha-256.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Begins a blob. Nothing is seen of it before `finish`, and nothing is left of it when the
    /// writer is dropped.
    async fn create(&self) -> anyhow::Result<Box<dyn BlobWriter>>;

    /// Opens a blob whose bytes have been checked against its digest.
    async fn open(&self, digest: &Digest) -> Result<Box<dyn BlobReader>, BlobError>;

    /// Marks a blob as used now, so that garbage collection leaves it, and tells its size; none
    /// where there is no such blob.
    async fn touch(&self, digest: &Digest) -> anyhow::Result<Option<u64>>;

    /// Blobs in order of their digests, after `after`; at most `limit`. Their bytes are not looked
    /// at.
    async fn list(&self, after: Option<&Digest>, limit: usize) -> anyhow::Result<Vec<Listed>>;

    /// Deletes the blob if it was neither written nor touched since it was listed; false where it
    /// was, or is not there.
    async fn remove(&self, listed: &Listed) -> anyhow::Result<bool>;

    /// Writes a whole blob.
    async fn put(&self, bytes: &[u8]) -> anyhow::Result<Digest> {
        let mut writer = self.create().await?;
        writer.write(bytes).await?;
        Ok(writer.finish().await?.0)
    }

    /// Reads a whole blob of at most `limit` bytes.
    async fn get(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, BlobError> {
        let reader = self.open(digest).await?;
        let size = reader.size();
        if size > limit {
            let error =
                anyhow::anyhow!("blob {digest} has {size} bytes; at most {limit} are read here");
            return Err(BlobError::Backend(error));
        }
        let mut bytes = Vec::with_capacity(size as usize);
        while (bytes.len() as u64) < size {
            let piece = reader.read(bytes.len() as u64, 1 << 20).await?;
            if piece.is_empty() {
                return Err(BlobError::Backend(anyhow::anyhow!(
                    "blob {digest} ends too early"
                )));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }
}

/// A blob being written.
#[async_trait]
pub trait BlobWriter: Send {
    /// Adds bytes at the end.
    async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()>;

    /// Makes the blob durable and gives its address and size. Writing the same content again is
    /// the same blob.
    async fn finish(self: Box<Self>) -> anyhow::Result<(Digest, u64)>;
}

/// An open blob: one content, whatever is written or deleted meanwhile.
#[async_trait]
pub trait BlobReader: Send + Sync {
    /// Bytes.
    fn size(&self) -> u64;

    /// At most `length` bytes from `offset`: fewer only at the end, none past it.
    async fn read(&self, offset: u64, length: u32) -> anyhow::Result<Vec<u8>>;
}
