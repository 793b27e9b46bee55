//! Records: a cell for each.

use std::sync::Arc;

use async_trait::async_trait;
use septet_core::store::{Created, Entry, Records, check_key, check_prefix};

use crate::cell::{Cells, Filled};

/// Records' keys begin so.
pub(crate) const PREFIX: &str = "r:";

/// Records in a key-value store.
pub(crate) struct KeyedRecords(pub(crate) Arc<Cells>);

/// A record's key in the store: Cosmos DB takes no `/`, and no record's key has a `:`.
fn cell(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('/', ":"))
}

/// What [`cell`] made a key of the store of.
fn key_of(cell: &str) -> Option<String> {
    let key = cell.strip_prefix(PREFIX)?.replace(':', "/");
    check_key(&key).is_ok().then_some(key)
}

#[async_trait]
impl Records for KeyedRecords {
    async fn create(&self, key: &str, value: &[u8]) -> anyhow::Result<Created> {
        check_key(key)?;
        Ok(match self.0.fill(&cell(key), value)? {
            Filled::New => Created::New,
            Filled::Exists(held) => Created::Exists(held.value),
        })
    }

    async fn get(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        check_key(key)?;
        Ok(self.0.read(&cell(key))?.map(|held| held.value))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> anyhow::Result<Vec<Entry>> {
        check_prefix(prefix)?;
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut keys: Vec<String> = self.0.store.keys()?;
        keys.retain(|key| key.starts_with(PREFIX));
        let mut keys: Vec<String> = keys.iter().filter_map(|key| key_of(key)).collect();
        keys.retain(|key| {
            key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after)
        });
        // The order of the store's own keys would be another, if it had one.
        keys.sort_unstable();
        let mut entries = Vec::new();
        for key in keys {
            // A key whose cell is empty is no record: it was deleted, or is not created yet.
            if let Some(held) = self.0.read(&cell(&key))? {
                let value = held.value;
                entries.push(Entry { key, value });
                if entries.len() == limit {
                    break;
                }
            }
        }
        Ok(entries)
    }

    async fn delete(&self, key: &str) -> anyhow::Result<()> {
        check_key(key)?;
        self.0.delete(&cell(key))
    }
}
