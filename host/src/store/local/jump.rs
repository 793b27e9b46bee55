//! Leases and delays hold when the machine's clock is set, or stood still in sleep.
//!
//! A message's times are of the machine's clock, which several processes share and anybody may
//! set. Set back by two hours, it would hide for two hours what is waiting now; set forward, it
//! would take from everyone what they are working on. So whoever receives compares it with a
//! clock that nobody can set, and where they differ, what was running begins anew by the new time.

use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, params};

/// Milliseconds by which the clocks may differ: more than they drift apart between two looks.
const TOLERANCE: u64 = 1000;

/// The time that everyone can set, and the one that nobody can.
type Reading = (u64, u64);

/// How one process follows its clocks.
#[derive(Default)]
pub(super) struct Jumps(Mutex<Option<Reading>>);

impl Jumps {
    /// Compares the clocks, and mends the messages' times where they have come apart. At the first
    /// look nothing is known of before, but what was sent later than now tells of it.
    pub(super) fn mend(&self, connection: &Connection, reading: Reading) -> rusqlite::Result<()> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, steady) = reading;
        // What the clock would show if nobody had set it.
        let unset = last.map(|(then, since)| then.saturating_add(steady.saturating_sub(since)));
        let mended = match unset {
            Some(unset) if now > unset.saturating_add(TOLERANCE) => {
                forward(connection, signed(now), signed(unset))?
            }
            Some(unset) if now.saturating_add(TOLERANCE) >= unset => 0,
            Some(_) => back(connection, signed(now), signed(now))?,
            // Others may have read the clock a little later.
            None => back(connection, signed(now), signed(now + TOLERANCE))?,
        };
        if mended > 0 {
            let by = unset.map_or(0, |unset| signed(now) - signed(unset)) / 1000;
            tracing::warn!(
                "the clock was set (by {by} s, as far as is known): the leases and delays of \
                 {mended} messages begin anew"
            );
        }
        // Only now: where the store failed, the next look sees the same.
        *last = Some(reading);
        Ok(())
    }
}

fn signed(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

/// Everything that was set later than now is from before. To mend it twice changes nothing, so
/// that each process may.
fn back(connection: &Connection, now: i64, later: i64) -> rusqlite::Result<usize> {
    // To look takes no lock.
    let there = connection
        .prepare_cached("SELECT 1 FROM messages WHERE sent_at > ?1 LIMIT 1")?
        .exists([later])?;
    if !there {
        return Ok(0);
    }
    let mut statement = connection.prepare_cached(
        "UPDATE messages SET visible_at = ?1 + max(visible_at - sent_at, 0), sent_at = ?1 \
         WHERE sent_at > ?2",
    )?;
    statement.execute([now, later])
}

/// Leases that had not run out by the clock as it was. Delays are left: what comes too early
/// comes to no harm.
fn forward(connection: &Connection, now: i64, unset: i64) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(
        "UPDATE messages SET visible_at = ?1 + max(visible_at - sent_at, 0), sent_at = ?1 \
         WHERE receipt IS NOT NULL AND sent_at <= ?2 AND visible_at > ?2",
    )?;
    statement.execute(params![now, unset])
}
