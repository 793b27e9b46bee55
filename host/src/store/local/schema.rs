//! The tables of `septet.db`, and which version of them a file has.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::encryption::{self, Keys};
use crate::store::StoreKey;

/// The version this program reads and writes. It is raised when an older program could misread or
/// spoil what a newer one wrote.
pub(super) const VERSION: i64 = 2;

/// `SPTT`: marks the file as ours.
const APPLICATION: i64 = 0x5350_5454;

/// `sent_at` is the time at which `visible_at` was last set: what is between them is the delay or
/// the lease, whatever the clock shows later.
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
    grp TEXT NOT NULL DEFAULT '',
    UNIQUE (queue, id)
) STRICT;
CREATE INDEX messages_in_order ON messages (queue, seq);
CREATE INDEX messages_by_time ON messages (queue, visible_at, seq);
CREATE INDEX messages_by_group ON messages (grp) WHERE grp <> '';
CREATE TABLE meta (
    name TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What makes the tables of a version out of those of the version before it, from version 1 on.
const MIGRATIONS: [&str; 1] = ["
ALTER TABLE messages ADD COLUMN grp TEXT NOT NULL DEFAULT '';
CREATE INDEX messages_by_time ON messages (queue, visible_at, seq);
CREATE INDEX messages_by_group ON messages (grp) WHERE grp <> '';
CREATE TABLE meta (
    name TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"];

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

/// What is in a database.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Nothing at all.
    Nothing,
    /// The tables of an earlier version.
    Older(i64),
    /// The tables of this version.
    Current,
}

/// Checks the version and the key; makes the tables in an empty database, and migrates older ones,
/// which a program that is older still then refuses. Answers with the keys of an encrypted store.
pub(super) fn prepare(
    connection: &mut Connection,
    folder: &Path,
    key: Option<&StoreKey>,
) -> Result<Option<Keys>, Unfit> {
    // All of it at one time: another process may be making the tables.
    let look = connection.transaction()?;
    let found = check(&look, folder)?;
    drop(look);
    match found {
        Found::Current => return encryption::unlock(connection, folder, key),
        // They are from before there was encryption.
        Found::Older(_) => encryption::refuse_plain(folder, key)?,
        Found::Nothing => {}
    }
    // Two processes may be here at once: the second finds the first one's tables.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let keys = match check(&transaction, folder)? {
        Found::Current => return encryption::unlock(&transaction, folder, key),
        // An empty copy of a database is one, too: it must not become a store that knows nothing.
        Found::Nothing if holds_blobs(folder) => {
            return Err(Unfit::Refused(format!(
                "{}/septet.db is damaged: it is empty, and the store is not: restore it from a \
                 copy, or name another store with --store",
                folder.display()
            )));
        }
        Found::Nothing => {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            encryption::establish(&transaction, key)?
        }
        Found::Older(version) => {
            let done = usize::try_from(version - 1).unwrap_or(usize::MAX);
            for migration in MIGRATIONS.iter().skip(done) {
                transaction.execute_batch(migration)?;
            }
            encryption::unlock(&transaction, folder, key)?
        }
    };
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(keys)
}

/// Whether somebody has worked in the folder: blobs are made after the tables only.
fn holds_blobs(folder: &Path) -> bool {
    let blobs = std::fs::read_dir(folder.join("blobs"));
    blobs.is_ok_and(|mut blobs| blobs.next().is_some())
}

fn check(connection: &Connection, folder: &Path) -> Result<Found, Unfit> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let folder = folder.display();
    match (application, version) {
        (APPLICATION, VERSION) => Ok(Found::Current),
        (APPLICATION, version) if (1..VERSION).contains(&version) => Ok(Found::Older(version)),
        (APPLICATION, version) if version > VERSION => Err(Unfit::Refused(format!(
            "the store {folder} was written by a newer septet (schema {version}, this one knows \
             {VERSION}): use that septet, or name another store with --store"
        ))),
        (0, 0) if tables == 0 => Ok(Found::Nothing),
        _ => Err(Unfit::Refused(format!(
            "{folder} is no store: its septet.db was not made by septet"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables as the first version made them.
    const FIRST: &str = "
CREATE TABLE records (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, id TEXT NOT NULL,
    body BLOB NOT NULL, visible_at INTEGER NOT NULL, dequeue_count INTEGER NOT NULL DEFAULT 0,
    receipt TEXT, sent_at INTEGER NOT NULL, UNIQUE (queue, id)
) STRICT;
CREATE INDEX messages_in_order ON messages (queue, seq);
INSERT INTO records VALUES ('a', x'01');
INSERT INTO messages (queue, id, body, visible_at, sent_at) VALUES ('train', 'm', x'02', 3, 4);
PRAGMA application_id = 0x53505454;
PRAGMA user_version = 1;
";

    /// Tables and indexes with their columns, whatever way they were made.
    fn shape(connection: &Connection) -> Vec<(String, Vec<String>)> {
        let names = "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name";
        let columns = "SELECT name || ' ' || type || ' ' || \"notnull\" FROM pragma_table_info(?1) \
                       UNION ALL SELECT name FROM pragma_index_info(?1)";
        let mut names = connection.prepare(names).unwrap();
        let mut columns = connection.prepare(columns).unwrap();
        let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
        names
            .map(|name| {
                let name = name.unwrap();
                let columns = columns.query_map([&name], |row| row.get(0)).unwrap();
                (name.clone(), columns.map(Result::unwrap).collect())
            })
            .collect()
    }

    #[test]
    fn an_older_store_becomes_one_of_today() {
        let mut older = Connection::open_in_memory().unwrap();
        older.execute_batch(FIRST).unwrap();
        prepare(&mut older, Path::new("s"), None).unwrap();
        prepare(&mut older, Path::new("s"), None).unwrap();
        let mut new = Connection::open_in_memory().unwrap();
        prepare(&mut new, Path::new("s"), None).unwrap();
        assert_eq!(shape(&older), shape(&new));
        let kept: (Vec<u8>, String, i64) = older
            .query_row("SELECT body, grp, visible_at FROM messages", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        assert_eq!(kept, (vec![2], String::new(), 3));
        let version: i64 = older
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(version, VERSION);
    }

    #[test]
    fn what_is_newer_or_no_store_is_refused() {
        for (application, version, word) in [
            (APPLICATION, VERSION + 1, "newer"),
            (APPLICATION, 0, "no store"),
            (7, 1, "no store"),
        ] {
            let mut other = Connection::open_in_memory().unwrap();
            other.execute_batch("CREATE TABLE x (y)").unwrap();
            other
                .pragma_update(None, "application_id", application)
                .unwrap();
            other.pragma_update(None, "user_version", version).unwrap();
            let refused = prepare(&mut other, Path::new("s"), None);
            assert!(matches!(refused, Err(Unfit::Refused(line)) if line.contains(word)));
        }
    }
}
