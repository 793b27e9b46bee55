//! Records in SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{OptionalExtension, TransactionBehavior, params};

use super::{database::Database, seal::Seal};
use crate::store::{Created, Entry, Records, check_key, check_prefix};

/// Records in SQLite.
pub(super) struct LocalRecords {
    database: Arc<Database>,
    seal: Seal,
}

impl LocalRecords {
    pub(super) const fn new(database: Arc<Database>, seal: Seal) -> Self {
        Self { database, seal }
    }

    /// The value of the record `key` out of what the database holds.
    fn value(&self, key: &str, kept: Vec<u8>) -> anyhow::Result<Vec<u8>> {
        let value = self.seal.open(&[key], kept);
        value.ok_or_else(|| self.database.damaged(&format!("the record '{key}'")))
    }
}

const GET: &str = "SELECT value FROM records WHERE key = ?1";

#[async_trait]
impl Records for LocalRecords {
    async fn create(&self, key: &str, value: &[u8]) -> anyhow::Result<Created> {
        check_key(key)?;
        let (name, value) = (key, self.seal.seal(&[key], value.to_vec())?);
        let key = key.to_owned();
        let there = self
            .database
            .call(move |connection| {
                let transaction =
                    connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let there = transaction
                    .prepare_cached(GET)?
                    .query_row([&key], |row| row.get(0))
                    .optional()?;
                if there.is_some() {
                    return Ok(there);
                }
                transaction
                    .prepare_cached("INSERT INTO records (key, value) VALUES (?1, ?2)")?
                    .execute(params![key, value])?;
                transaction.commit()?;
                Ok(None)
            })
            .await?;
        match there {
            None => Ok(Created::New),
            Some(kept) => Ok(Created::Exists(self.value(name, kept)?)),
        }
    }

    async fn get(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        check_key(key)?;
        let name = key.to_owned();
        let kept = self
            .database
            .call(move |connection| {
                let mut statement = connection.prepare_cached(GET)?;
                statement.query_row([&name], |row| row.get(0)).optional()
            })
            .await?;
        kept.map(|kept| self.value(key, kept)).transpose()
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> anyhow::Result<Vec<Entry>> {
        check_prefix(prefix)?;
        // Every byte of a key is below 0x7f, so that this key is behind all with the prefix.
        let behind = format!("{prefix}\u{7f}");
        let (prefix, after) = (prefix.to_owned(), after.unwrap_or_default().to_owned());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let kept: Vec<(String, Vec<u8>)> = self
            .database
            .call(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT key, value FROM records \
                     WHERE key >= ?1 AND key < ?2 AND key > ?3 ORDER BY key LIMIT ?4",
                )?;
                let entry = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
                statement
                    .query_map(params![prefix, behind, after, limit], entry)?
                    .collect()
            })
            .await?;
        let entries = kept.into_iter().map(|(key, kept)| {
            let value = self.value(&key, kept)?;
            Ok(Entry { key, value })
        });
        entries.collect()
    }

    async fn delete(&self, key: &str) -> anyhow::Result<()> {
        check_key(key)?;
        let key = key.to_owned();
        self.database
            .call(move |connection| {
                let mut statement =
                    connection.prepare_cached("DELETE FROM records WHERE key = ?1")?;
                statement.execute([&key])?;
                Ok(())
            })
            .await
    }
}
