//! Records in SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{OptionalExtension, TransactionBehavior, params};

use super::database::Database;
use crate::store::{
    Created, Entry, Records,
    names::{check_key, check_prefix},
};

/// Records in SQLite.
pub(super) struct LocalRecords(Arc<Database>);

impl LocalRecords {
    pub(super) const fn new(database: Arc<Database>) -> Self {
        Self(database)
    }
}

const GET: &str = "SELECT value FROM records WHERE key = ?1";

#[async_trait]
impl Records for LocalRecords {
    async fn create(&self, key: &str, value: &[u8]) -> anyhow::Result<Created> {
        check_key(key)?;
        let (key, value) = (key.to_owned(), value.to_vec());
        self.0
            .call(move |connection| {
                let transaction =
                    connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let there = transaction
                    .prepare_cached(GET)?
                    .query_row([&key], |row| row.get(0))
                    .optional()?;
                if let Some(there) = there {
                    return Ok(Created::Exists(there));
                }
                transaction
                    .prepare_cached("INSERT INTO records (key, value) VALUES (?1, ?2)")?
                    .execute(params![key, value])?;
                transaction.commit()?;
                Ok(Created::New)
            })
            .await
    }

    async fn get(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        check_key(key)?;
        let key = key.to_owned();
        self.0
            .call(move |connection| {
                let mut statement = connection.prepare_cached(GET)?;
                statement.query_row([&key], |row| row.get(0)).optional()
            })
            .await
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
        self.0
            .call(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT key, value FROM records \
                     WHERE key >= ?1 AND key < ?2 AND key > ?3 ORDER BY key LIMIT ?4",
                )?;
                let entry = |row: &rusqlite::Row<'_>| {
                    Ok(Entry {
                        key: row.get(0)?,
                        value: row.get(1)?,
                    })
                };
                statement
                    .query_map(params![prefix, behind, after, limit], entry)?
                    .collect()
            })
            .await
    }

    async fn delete(&self, key: &str) -> anyhow::Result<()> {
        check_key(key)?;
        let key = key.to_owned();
        self.0
            .call(move |connection| {
                let mut statement =
                    connection.prepare_cached("DELETE FROM records WHERE key = ?1")?;
                statement.execute([&key])?;
                Ok(())
            })
            .await
    }
}
