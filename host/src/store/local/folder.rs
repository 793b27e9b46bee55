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
    database::{DATABASE, Database},
    queues::LocalQueues,
    records::LocalRecords,
};
use crate::store::{Clock, Store, SystemClock};

/// Whether a store may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A store is made where there is none.
    Create,
    /// There must be one: for commands that only look.
    Existing,
}

/// A store in a folder.
pub struct Local {
    path: PathBuf,
    store: Store,
    database: Arc<Database>,
}

impl Local {
    /// Opens the store in the folder `path`.
    pub async fn open(path: &Path, mode: Mode) -> anyhow::Result<Self> {
        Self::open_with(path, mode, Arc::new(SystemClock)).await
    }

    /// Opens the store in the folder `path`; its leases follow `clock`.
    pub async fn open_with(path: &Path, mode: Mode, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || Self::open_now(path, mode, clock)).await?
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

    fn open_now(path: PathBuf, mode: Mode, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        check_folder(&path, mode)?;
        if mode == Mode::Create {
            make_folder(&path)?;
            make_database(&path)?;
        }
        // The version is checked before anything else is made or changed.
        let database = Arc::new(Database::open(&path)?);
        let blobs = LocalBlobs::open(&path, Arc::clone(&clock))?;
        if mode == Mode::Create {
            make_ignored(&path)?;
        }
        let store = Store {
            blobs: Arc::new(blobs),
            records: Arc::new(LocalRecords::new(Arc::clone(&database))),
            queues: Arc::new(LocalQueues::new(Arc::clone(&database), clock)),
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
