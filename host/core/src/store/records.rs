//! Small documents that are created once and never changed.

use async_trait::async_trait;

/// The answer of `create`.
#[derive(Debug, PartialEq, Eq)]
pub enum Created {
    /// There was none; now there is this one.
    New,
    /// Somebody was first; this is what they wrote.
    Exists(Vec<u8>),
}

/// A record with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Segments of `[A-Za-z0-9._~-]` joined by `/`.
    pub key: String,
    /// As it was created.
    pub value: Vec<u8>,
}

/// Create-only documents. Their keys are sorted by bytes.
///
/// State that changes is a sequence of records: who creates the next one has won. No cloud store
/// lacks that operation, and so the protocol above is the same on all of them.
#[async_trait]
pub trait Records: Send + Sync {
    /// Creates the record, durably, if and only if there is none with this key.
    async fn create(&self, key: &str, value: &[u8]) -> anyhow::Result<Created>;

    /// The record, if there is one.
    async fn get(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>>;

    /// Records whose key starts with `prefix`, in order, after the key `after`; at most `limit`.
    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> anyhow::Result<Vec<Entry>>;

    /// Takes the record away. It is no error if there is none.
    async fn delete(&self, key: &str) -> anyhow::Result<()>;
}
