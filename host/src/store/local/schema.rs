//! The tables of `septet.db`, and which version of them a file has.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

/// The version this program reads and writes. It is raised when an older program could misread or
/// spoil what a newer one wrote.
pub(super) const VERSION: i64 = 1;

/// `SPTT`: marks the file as ours.
const APPLICATION: i64 = 0x5350_5454;

const TABLES: &str = "
CREATE TABLE records (
    key TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    id TEXT NOT NULL,
    body BLOB NOT NULL,
    visible_at INTEGER NOT NULL,
    dequeue_count INTEGER NOT NULL DEFAULT 0,
    receipt TEXT,
    sent_at INTEGER NOT NULL,
    UNIQUE (queue, id)
) STRICT;
CREATE INDEX messages_in_order ON messages (queue, seq);
";

/// What `prepare` can meet besides a failure of the database.
#[derive(Debug)]
pub(super) enum Unfit {
    /// SQLite's own.
    Sqlite(rusqlite::Error),
    /// Not ours to touch; one line for the user.
    Refused(String),
}

impl From<rusqlite::Error> for Unfit {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Checks the version, and makes the tables in an empty database.
pub(super) fn prepare(connection: &mut Connection, folder: &Path) -> Result<(), Unfit> {
    if check(connection, folder)? {
        return Ok(());
    }
    // Two processes may be here at once: the second finds the first one's tables.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !check(&transaction, folder)? {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    Ok(())
}

/// True where the tables are there and are ours; false where there is nothing at all.
fn check(connection: &Connection, folder: &Path) -> Result<bool, Unfit> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let folder = folder.display();
    match (application, version) {
        (APPLICATION, VERSION) => Ok(true),
        (APPLICATION, version) if version > VERSION => Err(Unfit::Refused(format!(
            "the store {folder} was written by a newer septet (schema {version}, this one knows \
             {VERSION}): use that septet, or name another store with --store"
        ))),
        (0, 0) if tables == 0 => Ok(false),
        _ => Err(Unfit::Refused(format!(
            "{folder} is no store: its septet.db was not made by septet"
        ))),
    }
}
