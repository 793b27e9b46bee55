//! Queues in SQLite.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::{database::Database, jump::Jumps, seal::Seal};
use crate::store::{
    Clock, Message, Queues, Received, check_key, check_message, check_queue, millis,
};

/// Queues in SQLite.
pub(super) struct LocalQueues {
    database: Arc<Database>,
    seal: Seal,
    clock: Arc<dyn Clock>,
    jumps: Arc<Jumps>,
}

impl LocalQueues {
    pub(super) fn new(database: Arc<Database>, seal: Seal, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            seal,
            clock,
            jumps: Arc::default(),
        }
    }

    /// A message out of what the database holds of it.
    fn opened(&self, queue: &str, mut kept: Message) -> anyhow::Result<Message> {
        let body = std::mem::take(&mut kept.body);
        let Some(body) = self.seal.open(&place(queue, &kept), body) else {
            let shown = kept.id.escape_debug();
            let place = format!("the message '{shown}' of queue {queue}");
            return Err(self.database.damaged(&place));
        };
        kept.body = body;
        Ok(kept)
    }

    /// The time, and the time `later`, as SQLite keeps them.
    fn times(&self, later: Duration) -> (i64, i64) {
        times(self.clock.as_ref(), later)
    }

    /// Runs a statement that changes at most the message under the lease; false where it is lost.
    async fn change(
        &self,
        sql: &'static str,
        received: &Received,
        (now, later): (i64, i64),
    ) -> anyhow::Result<bool> {
        let (queue, id) = (received.queue.clone(), received.message.id.clone());
        let receipt = received.receipt.clone();
        self.database
            .call(move |connection| {
                let mut statement = connection.prepare_cached(sql)?;
                let changed = statement.execute(params![queue, id, receipt, later, now])?;
                Ok(changed > 0)
            })
            .await
    }
}

#[async_trait]
impl Queues for LocalQueues {
    async fn send(&self, queue: &str, message: &Message, delay: Duration) -> anyhow::Result<()> {
        check_queue(queue)?;
        check_message(message)?;
        let mut message = message.clone();
        let body = std::mem::take(&mut message.body);
        message.body = self.seal.seal(&place(queue, &message), body)?;
        let queue = queue.to_owned();
        let (now, visible_at) = self.times(delay);
        self.database
            .call(move |connection| {
                let mut statement = connection.prepare_cached(
                    "INSERT INTO messages (queue, id, body, visible_at, sent_at, grp) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (queue, id) DO NOTHING",
                )?;
                let Message { id, body, group } = message;
                statement.execute(params![queue, id, body, visible_at, now, group])?;
                Ok(())
            })
            .await
    }

    async fn receive(&self, queues: &[&str], lease: Duration) -> anyhow::Result<Option<Received>> {
        for queue in queues {
            check_queue(queue)?;
        }
        let queues: Vec<String> = queues.iter().map(|&queue| queue.to_owned()).collect();
        let (jumps, clock) = (Arc::clone(&self.jumps), Arc::clone(&self.clock));
        let received = self
            .database
            .call(move |connection| {
                // Here, and not before what may have been a long wait for the connection.
                let (now, until) = times(clock.as_ref(), lease);
                jumps.mend(connection, (clock.now(), clock.steady()))?;
                for queue in &queues {
                    if let Some(received) = take(connection, queue, now, until)? {
                        return Ok(Some(received));
                    }
                }
                Ok(None)
            })
            .await?;
        let Some(received) = received else {
            return Ok(None);
        };
        let message = self.opened(&received.queue, received.message)?;
        Ok(Some(Received {
            message,
            ..received
        }))
    }

    async fn renew(&self, received: &Received, lease: Duration) -> anyhow::Result<bool> {
        let sql = "UPDATE messages SET visible_at = ?4, sent_at = ?5 \
                   WHERE queue = ?1 AND id = ?2 AND receipt = ?3";
        self.change(sql, received, self.times(lease)).await
    }

    async fn acknowledge(&self, received: &Received) -> anyhow::Result<bool> {
        let sql = "DELETE FROM messages \
                   WHERE queue = ?1 AND id = ?2 AND receipt = ?3 \
                   AND ?4 IS NOT NULL AND ?5 IS NOT NULL";
        self.change(sql, received, (0, 0)).await
    }

    async fn release(&self, received: &Received, delay: Duration) -> anyhow::Result<bool> {
        let sql = "UPDATE messages SET visible_at = ?4, receipt = NULL, sent_at = ?5 \
                   WHERE queue = ?1 AND id = ?2 AND receipt = ?3";
        self.change(sql, received, self.times(delay)).await
    }

    async fn peek(&self, queue: &str, limit: usize) -> anyhow::Result<Vec<Message>> {
        check_queue(queue)?;
        let name = queue.to_owned();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let kept: Vec<Message> = self
            .database
            .call(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT id, body, grp FROM messages WHERE queue = ?1 ORDER BY seq LIMIT ?2",
                )?;
                statement
                    .query_map(params![name, limit], message_of)?
                    .collect()
            })
            .await?;
        let messages = kept.into_iter();
        messages.map(|kept| self.opened(queue, kept)).collect()
    }

    async fn remove(&self, queue: &str, id: &str) -> anyhow::Result<bool> {
        check_queue(queue)?;
        let (queue, id) = (queue.to_owned(), id.to_owned());
        self.database
            .call(move |connection| {
                let mut statement = connection
                    .prepare_cached("DELETE FROM messages WHERE queue = ?1 AND id = ?2")?;
                Ok(statement.execute(params![queue, id])? > 0)
            })
            .await
    }

    async fn of_group(&self, group: &str, limit: usize) -> anyhow::Result<Vec<(String, Message)>> {
        check_key(group)?;
        let group = group.to_owned();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let kept: Vec<(String, Message)> = self
            .database
            .call(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT id, body, grp, queue FROM messages \
                     WHERE grp = ?1 AND grp <> '' ORDER BY queue, seq LIMIT ?2",
                )?;
                let found = |row: &rusqlite::Row<'_>| Ok((row.get(3)?, message_of(row)?));
                statement.query_map(params![group, limit], found)?.collect()
            })
            .await?;
        let messages = kept.into_iter().map(|(queue, kept)| {
            let message = self.opened(&queue, kept)?;
            Ok((queue, message))
        });
        messages.collect()
    }

    async fn sweep(&self, group: &str) -> anyhow::Result<u64> {
        check_key(group)?;
        let group = group.to_owned();
        self.database
            .call(move |connection| {
                // To look takes no lock, and mostly there is nothing.
                let there = connection
                    .prepare_cached("SELECT 1 FROM messages WHERE grp = ?1 AND grp <> '' LIMIT 1")?
                    .exists([&group])?;
                if !there {
                    return Ok(0);
                }
                let mut statement = connection
                    .prepare_cached("DELETE FROM messages WHERE grp = ?1 AND grp <> ''")?;
                Ok(statement.execute([&group])? as u64)
            })
            .await
    }

    async fn counts(&self) -> anyhow::Result<Vec<(String, u64)>> {
        self.database
            .call(|connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT queue, count(*) FROM messages GROUP BY queue ORDER BY queue",
                )?;
                let count = |row: &rusqlite::Row<'_>| {
                    let count: i64 = row.get(1)?;
                    Ok((row.get(0)?, count.unsigned_abs()))
                };
                statement.query_map([], count)?.collect()
            })
            .await
    }
}

/// What a body is bound to: a message is a message of its queue and its group.
fn place<'a>(queue: &'a str, message: &'a Message) -> [&'a str; 3] {
    [queue, &message.id, &message.group]
}

fn times(clock: &dyn Clock, later: Duration) -> (i64, i64) {
    let now = clock.now();
    let signed = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
    (signed(now), signed(now.saturating_add(millis(later))))
}

/// A message from the columns `id`, `body` and `grp`, which come first.
fn message_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
        id: row.get(0)?,
        body: row.get(1)?,
        group: row.get(2)?,
    })
}

/// Leases the message of `queue` that has been there to be received for longest. It is the first
/// of its index, however many wait.
fn take(
    connection: &Connection,
    queue: &str,
    now: i64,
    until: i64,
) -> rusqlite::Result<Option<Received>> {
    const OLDEST: &str = "SELECT seq FROM messages WHERE queue = ?1 AND visible_at <= ?2 \
                          ORDER BY visible_at, seq LIMIT 1";
    const LEASE: &str = "UPDATE messages \
                         SET visible_at = ?3, receipt = ?4, sent_at = ?2, \
                         dequeue_count = dequeue_count + 1 \
                         WHERE seq = ?5 AND queue = ?1 AND visible_at <= ?2 \
                         RETURNING id, body, grp, dequeue_count";
    // To look takes no lock, so that those who wait do not hinder those who work. Another may be
    // faster between looking and taking: then the next one is looked for.
    loop {
        let oldest: Option<i64> = connection
            .prepare_cached(OLDEST)?
            .query_row(params![queue, now], |row| row.get(0))
            .optional()?;
        let Some(seq) = oldest else {
            return Ok(None);
        };
        let receipt = Uuid::now_v7().to_string();
        let received = connection
            .prepare_cached(LEASE)?
            .query_row(params![queue, now, until, receipt, seq], |row| {
                let dequeue_count: i64 = row.get(3)?;
                Ok(Received {
                    queue: queue.to_owned(),
                    message: message_of(row)?,
                    dequeue_count: u32::try_from(dequeue_count).unwrap_or(u32::MAX),
                    receipt: receipt.clone(),
                })
            })
            .optional()?;
        if received.is_some() {
            return Ok(received);
        }
    }
}
