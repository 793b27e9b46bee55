//! Records in memory.

use std::{
    collections::{BTreeMap, btree_map},
    ops::Bound,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;

use crate::store::{
    Created, Entry, Records,
    names::{check_key, check_prefix},
};

/// Records in memory.
#[derive(Default)]
pub(super) struct MemoryRecords(Mutex<BTreeMap<String, Vec<u8>>>);

#[async_trait]
impl Records for MemoryRecords {
    async fn create(&self, key: &str, value: &[u8]) -> anyhow::Result<Created> {
        check_key(key)?;
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match records.entry(key.to_owned()) {
            btree_map::Entry::Occupied(there) => Created::Exists(there.get().clone()),
            btree_map::Entry::Vacant(free) => {
                free.insert(value.to_vec());
                Created::New
            }
        })
    }

    async fn get(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        check_key(key)?;
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(records.get(key).cloned())
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> anyhow::Result<Vec<Entry>> {
        check_prefix(prefix)?;
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after.to_owned()),
            _ => Bound::Included(prefix.to_owned()),
        };
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let range = records.range((start, Bound::Unbounded));
        Ok(range
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit)
            .map(|(key, value)| Entry {
                key: key.clone(),
                value: value.clone(),
            })
            .collect())
    }

    async fn delete(&self, key: &str) -> anyhow::Result<()> {
        check_key(key)?;
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.remove(key);
        Ok(())
    }
}
