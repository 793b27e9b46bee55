//! Records as blobs: of the registry in one container, all others in another, so that an account can
//! say who may write which.

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;

use super::{
    account::{Account, LEDGER, REGISTRY},
    container::{Container, Metadata, Written},
};
use crate::store::{Created, Entry, Records, check_key, check_prefix};

/// How the keys of the registry begin: the logs of models, of the stages and of transforms. What they
/// say is what runs, so few may write there.
const LOGS: [&str; 3] = ["models/", "stages/", "transforms/"];

/// Whether the key is one of the registry.
fn is_registered(key: &str) -> bool {
    LOGS.iter().any(|log| key.starts_with(log))
}

/// The largest record that is read.
const MOST: u64 = 64 << 20;

/// Records that are read at a time.
const AT_ONCE: usize = 16;

/// How often a record may be deleted under the hands of who creates it.
const ROUNDS: usize = 8;

/// The metadata that says whose write it was.
const BY: &str = "by";

/// Records in two containers.
pub(super) struct AzureRecords {
    ledger: Container,
    registry: Container,
}

impl AzureRecords {
    pub(super) fn new(account: &Account) -> anyhow::Result<Self> {
        Ok(Self {
            ledger: account.container(LEDGER)?,
            registry: account.container(REGISTRY)?,
        })
    }

    fn of(&self, key: &str) -> &Container {
        if is_registered(key) {
            &self.registry
        } else {
            &self.ledger
        }
    }

    /// Keys in the containers that may have some, after `after`.
    async fn all_keys(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> anyhow::Result<Vec<String>> {
        let mut keys = Vec::new();
        if !is_registered(prefix) {
            keys = Self::keys(&self.ledger, prefix, after, limit).await?;
        }
        if is_registered(prefix) || LOGS.iter().any(|log| log.starts_with(prefix)) {
            keys.extend(Self::keys(&self.registry, prefix, after, limit).await?);
            keys.sort_unstable();
            keys.truncate(limit);
        }
        Ok(keys)
    }

    /// Keys in one container, after `after`.
    async fn keys(
        container: &Container,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> anyhow::Result<Vec<String>> {
        // The service lists from a name on, that included.
        let from = after.filter(|after| *after >= prefix);
        let found = container
            .list(prefix, from, limit.saturating_add(1), false)
            .await?;
        let keys = found.into_iter().filter_map(|item| item.name);
        let keys = keys.filter(|key| after.is_none_or(|after| key.as_str() > after));
        // What nobody could have written as a record is none.
        Ok(keys
            .filter(|key| check_key(key).is_ok())
            .take(limit)
            .collect())
    }
}

#[async_trait]
impl Records for AzureRecords {
    async fn create(&self, key: &str, value: &[u8]) -> anyhow::Result<Created> {
        check_key(key)?;
        let container = self.of(key);
        // A request whose answer was lost is sent again, and then finds what it has written itself.
        let by = Uuid::now_v7().to_string();
        for _ in 0..ROUNDS {
            let metadata = Metadata::from([(BY.to_owned(), by.clone())]);
            let bytes = value.to_vec().into();
            if let Written::Done(_) = container.create(key, bytes, Some(metadata)).await? {
                return Ok(Created::New);
            }
            // None where it was deleted meanwhile: then it is to be had again.
            if let Some(there) = container.get(key, MOST).await? {
                if there.metadata.get(BY) == Some(&by) {
                    return Ok(Created::New);
                }
                return Ok(Created::Exists(there.bytes.to_vec()));
            }
        }
        bail!("the record {key} is created and deleted by others again and again")
    }

    async fn get(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        check_key(key)?;
        let found = self.of(key).get(key, MOST).await?;
        Ok(found.map(|found| found.bytes.to_vec()))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> anyhow::Result<Vec<Entry>> {
        check_prefix(prefix)?;
        let (mut entries, mut after) = (Vec::new(), after.map(str::to_owned));
        // One that is deleted between listing and reading is none; a page is full all the same where
        // there is more, since who gets less takes it for the end.
        while entries.len() < limit {
            let left = limit - entries.len();
            let keys = self.all_keys(prefix, after.as_deref(), left).await?;
            let Some(last) = keys.last() else { break };
            after = Some(last.clone());
            let end = keys.len() < left;
            let read = keys.into_iter().map(|key| async move {
                let found = self.get(&key).await;
                let found = found.with_context(|| format!("record {key}"))?;
                anyhow::Ok(found.map(|value| Entry { key, value }))
            });
            let mut read = stream::iter(read).buffered(AT_ONCE);
            while let Some(entry) = read.try_next().await? {
                entries.extend(entry);
            }
            if end {
                break;
            }
        }
        Ok(entries)
    }

    async fn delete(&self, key: &str) -> anyhow::Result<()> {
        check_key(key)?;
        self.of(key).delete(key, None).await.map(drop)
    }
}
