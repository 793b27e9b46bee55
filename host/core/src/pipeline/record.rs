//! Records as JSON.

use anyhow::Context;
use serde::{Serialize, de::DeserializeOwned};

use crate::store::{Created, Entry, Records};

/// How many records are asked for at once.
const PAGE: usize = 500;

/// The record with this key.
pub(super) async fn get<T: DeserializeOwned>(
    records: &dyn Records,
    key: &str,
) -> anyhow::Result<Option<T>> {
    let value = records.get(key).await?;
    value.map(|value| decode(key, &value)).transpose()
}

/// Creates the record, or gives the one that is there.
pub(super) async fn create<T: Serialize + DeserializeOwned>(
    records: &dyn Records,
    key: &str,
    value: &T,
) -> anyhow::Result<Option<T>> {
    match records.create(key, &encode(value)?).await? {
        Created::New => Ok(None),
        Created::Exists(there) => decode(key, &there).map(Some),
    }
}

/// All records whose key starts with `prefix`.
pub(super) async fn list(records: &dyn Records, prefix: &str) -> anyhow::Result<Vec<Entry>> {
    list_after(records, prefix, None).await
}

/// As `list`, but only those behind a key.
pub(super) async fn list_after(
    records: &dyn Records,
    prefix: &str,
    mut after: Option<String>,
) -> anyhow::Result<Vec<Entry>> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let page = records.list(prefix, after.as_deref(), PAGE).await?;
        let more = page.len() == PAGE;
        after = page.last().map(|entry| entry.key.clone());
        all.extend(page);
        if !more {
            return Ok(all);
        }
    }
}

/// All records whose key starts with `prefix`, decoded.
pub(super) async fn all<T: DeserializeOwned>(
    records: &dyn Records,
    prefix: &str,
) -> anyhow::Result<Vec<T>> {
    let entries = list(records, prefix).await?;
    let values = entries.iter().map(|entry| decode(&entry.key, &entry.value));
    values.collect()
}

/// Canonical JSON (RFC 8785), so that equal values are equal bytes.
pub(super) fn encode<T: Serialize>(value: &T) -> anyhow::Result<Vec<u8>> {
    serde_json_canonicalizer::to_vec(value).context("cannot write a record as JSON")
}

pub(super) fn decode<T: DeserializeOwned>(key: &str, value: &[u8]) -> anyhow::Result<T> {
    serde_json::from_slice(value)
        .with_context(|| format!("the record {key} in the store is damaged"))
}
