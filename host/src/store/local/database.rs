//! The connection to `septet.db`, and what its errors mean to a user.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::anyhow;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{
    encryption::Keys,
    schema::{self, Unfit},
};
use crate::store::StoreKey;

/// The database's file in the store's folder.
pub(super) const DATABASE: &str = "septet.db";

/// How long one process waits for another's write.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection, used by one call at a time.
pub(super) struct Database {
    folder: PathBuf,
    connection: Mutex<Connection>,
}

impl Database {
    /// Opens the database, which is there but may be empty, and the keys of an encrypted store.
    pub(super) fn open(
        folder: &Path,
        key: Option<&StoreKey>,
    ) -> anyhow::Result<(Self, Option<Keys>)> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(folder.join(DATABASE), flags);
        let explain = |unfit| match unfit {
            Unfit::Sqlite(error) => explained(&error, folder),
            Unfit::Refused(line) => anyhow!(line),
        };
        let mut connection = connection.map_err(|error| explained(&error, folder))?;
        let keys = configure(&mut connection, folder, key).map_err(explain)?;
        let database = Self {
            folder: folder.to_owned(),
            connection: Mutex::new(connection),
        };
        Ok((database, keys))
    }

    /// What stands at `place` is not what was put there: in an encrypted store that can be told.
    pub(super) fn damaged(&self, place: &str) -> anyhow::Error {
        anyhow!(
            "the store {} is damaged: {place} is not what was written there; restore the store \
             from a copy",
            self.folder.display()
        )
    }

    /// What SQLite finds to be wrong with the file, a line each.
    pub(super) async fn check(self: &Arc<Self>) -> anyhow::Result<Vec<String>> {
        self.call(|connection| {
            let mut check = connection.prepare("PRAGMA integrity_check(100)")?;
            let lines = check.query_map([], |row| row.get(0))?;
            let lines: Vec<String> = lines.collect::<rusqlite::Result<_>>()?;
            Ok(lines.into_iter().filter(|line| line != "ok").collect())
        })
        .await
    }

    /// Runs `work` on a thread that may block.
    pub(super) async fn call<T, F>(self: &Arc<Self>, work: F) -> anyhow::Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let database = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let mut connection = database
                .connection
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            work(&mut connection).map_err(|error| explained(&error, &database.folder))
        })
        .await?
    }
}

/// The version and the key are looked at before anything is written, the journal's mode included.
fn configure(
    connection: &mut Connection,
    folder: &Path,
    key: Option<&StoreKey>,
) -> Result<Option<Keys>, Unfit> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(32);
    let keys = schema::prepare(connection, folder, key)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Another process that is changing the mode answers "busy" at once, whatever the time-out.
    let begun = Instant::now();
    loop {
        let mode = connection.pragma_query_value(None, "journal_mode", |row| row.get(0));
        let wal = mode.is_ok_and(|mode: String| mode == "wal");
        if wal {
            return Ok(keys);
        }
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())) {
            Err(error) if is_busy(&error) && begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            // A file system without shared memory keeps the old journal, which is as safe.
            other => {
                other?;
                return Ok(keys);
            }
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// One line that names the store and what to do.
fn explained(error: &rusqlite::Error, folder: &Path) -> anyhow::Error {
    let folder = folder.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            anyhow!("cannot write to the store {folder}: the disk is full")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            anyhow!("cannot write to the store {folder}: it is read-only")
        }
        Some(ErrorCode::CannotOpen) => anyhow!(
            "cannot open {folder}/{DATABASE}: it is not readable, or the folder is read-only"
        ),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => anyhow!(
            "{folder}/{DATABASE} is damaged ({error}): restore it from a copy, or name another \
             store with --store"
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            anyhow!("the store {folder} is held by another process: try again when it has ended")
        }
        _ => anyhow!("the store {folder} failed: {error}"),
    }
}
