//! Finds or makes the store's folder.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;

use super::{
    blobs::LocalBlobs,
    content::Form,
    database::{DATABASE, Database},
    queues::LocalQueues,
    records::LocalRecords,
    seal::Seal,
};
use crate::store::{Clock, Store, StoreKey, SystemClock};

/// Whether a store may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A store is made where there is none.
    Create,
    /// There must be one: for commands that only look.
    Existing,
}

/// How a store is opened.
#[derive(Clone)]
pub struct Access {
    /// Whether it may be made.
    pub mode: Mode,
    /// What its leases follow.
    pub clock: Arc<dyn Clock>,
    /// A new store is encrypted with it; one that is there must have been made with it, or, where
    /// there is none, without any.
    pub key: Option<StoreKey>,
}

impl From<Mode> for Access {
    /// With the machine's clock and without a key.
    fn from(mode: Mode) -> Self {
        Self {
            mode,
            clock: Arc::new(SystemClock),
            key: None,
        }
    }
}

/// A store in a folder.
pub struct Local {
    path: PathBuf,
    store: Store,
    database: Arc<Database>,
}

impl Local {
    /// Opens the store in the folder `path`.
    pub async fn open(path: &Path, access: impl Into<Access>) -> anyhow::Result<Self> {
        let (path, access) = (path.to_owned(), access.into());
        tokio::task::spawn_blocking(move || Self::open_now(path, access)).await?
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The store's three parts.
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// What is found to be wrong with the file of records and queues, a line each.
    pub async fn check(&self) -> anyhow::Result<Vec<String>> {
        self.database.check().await
    }

    fn open_now(path: PathBuf, access: Access) -> anyhow::Result<Self> {
        let Access { mode, clock, key } = access;
        check_folder(&path, mode)?;
        if mode == Mode::Create {
            make_folder(&path)?;
            make_database(&path)?;
        }
        // The version and the key are checked before anything else is made or changed.
        let (database, keys) = Database::open(&path, key.as_ref())?;
        let database = Arc::new(database);
        let records = Seal::new(keys.as_ref().map(|keys| &keys.records));
        let bodies = Seal::new(keys.as_ref().map(|keys| &keys.messages));
        let form = keys.map_or(Form::Plain, |keys| Form::Sealed(keys.blobs));
        let blobs = LocalBlobs::open(&path, form, Arc::clone(&clock))?;
        if mode == Mode::Create {
            make_ignored(&path)?;
        }
        let store = Store {
            blobs: Arc::new(blobs),
            records: Arc::new(LocalRecords::new(Arc::clone(&database), records)),
            queues: Arc::new(LocalQueues::new(Arc::clone(&database), bodies, clock)),
        };
        Ok(Self {
            path,
            store,
            database,
        })
    }
}

/// Refuses a path that holds something else than a store.
fn check_folder(path: &Path, mode: Mode) -> anyhow::Result<()> {
    let shown = path.display();
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            anyhow::ensure!(
                mode == Mode::Create,
                "there is no store at {shown}: a run makes one, or name another with --store"
            );
            return Ok(());
        }
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            anyhow::bail!("{shown} cannot be a store: it is a file, and a store is a folder");
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot open the store {shown}"));
        }
    };
    let mut empty = true;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot open the store {shown}"))?;
        if entry.file_name() == DATABASE {
            return Ok(());
        }
        empty = false;
    }
    anyhow::ensure!(
        mode == Mode::Create,
        "there is no store at {shown}: the folder has no {DATABASE}"
    );
    anyhow::ensure!(
        empty,
        "{shown} is no store, and it is not empty: name a new folder with --store"
    );
    Ok(())
}

fn make_folder(path: &Path) -> anyhow::Result<()> {
    owner_only()
        .create(path)
        .with_context(|| format!("cannot make the store {}", path.display()))
}

/// Keeps the store out of a repository that it happens to lie in.
fn make_ignored(path: &Path) -> anyhow::Result<()> {
    let ignore = path.join(".gitignore");
    if ignore.exists() {
        return Ok(());
    }
    fs::write(ignore, "*\n")
        .with_context(|| format!("cannot write to the store {}", path.display()))
}

/// An empty file is an empty database to SQLite; made here, it is the owner's only.
fn make_database(path: &Path) -> anyhow::Result<()> {
    let file = path.join(DATABASE);
    if file.exists() {
        return Ok(());
    }
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("cannot write to the store {}", path.display()))?;
    Ok(())
}

/// Makes folders that are their owner's only; it is no error that they are there.
pub(super) fn owner_only() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
}
