//! Fresh stores of each backend, for the suites that all of them run.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use septet::store::{
    Access, Local, ManualClock, Mode, Store, StoreKey,
    azure::{self, Azure, Connection},
    memory_with,
};
use septet_spin_store::Keyed;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::double::{Double, Kind};
use crate::support::azurite;

/// A fresh store, seen through two handles as two processes would see it.
pub struct Fresh {
    pub one: Store,
    pub two: Store,
    pub clock: Arc<ManualClock>,
    /// Counts what is unfinished, where the backend can tell.
    pub unfinished: Box<dyn Fn() -> usize + Send + Sync>,
    pub folder: Option<TempDir>,
}

impl Fresh {
    pub fn later(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// Makes fresh stores of one backend.
pub type Factory = fn() -> Fresh;

/// All backends. The last is left out where its emulator can't be had, which is said once.
pub fn all() -> Vec<(&'static str, Factory)> {
    let mut all = ALL.to_vec();
    if azurite::is_there() {
        all.push(("azure", in_account));
    }
    all
}

/// The backends that need nothing but this machine.
pub const ALL: [(&str, Factory); 5] = [
    ("memory", in_memory),
    ("local", in_folder),
    ("local, encrypted", encrypted),
    ("key-value, as SQLite is", || keyed(Kind::Sqlite)),
    ("key-value, as Redis is", || keyed(Kind::Redis)),
];

/// A key-value store as Spin has it, through the handles of two requests.
pub fn keyed(kind: Kind) -> Fresh {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let double = Double::new(kind);
    let open = || Keyed::new(Arc::new(double.clone()), clock.clone()).store();
    Fresh {
        one: open(),
        two: open(),
        clock,
        unfinished: Box::new({
            let double = double.clone();
            move || double.unfinished()
        }),
        folder: None,
    }
}

/// A storage account of the emulator.
pub fn in_account() -> Fresh {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let connection = connection(&azurite::account().unwrap());
    let open = |mode| {
        // A connection that is kept open lives in the runtime that made it, which must outlive it.
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        let runtime = RUNTIME.get_or_init(|| Runtime::new().unwrap());
        let open = Azure::open(connection.clone(), mode, clock.clone());
        runtime.block_on(open).unwrap().store()
    };
    let (one, two) = (open(Mode::Create), open(Mode::Existing));
    Fresh {
        one,
        two,
        clock,
        unfinished: Box::new(|| 0),
        folder: None,
    }
}

/// The way into an account of the emulator.
pub fn connection(account: &azurite::Account) -> Connection {
    Connection {
        name: "Test".to_owned(),
        blob: account.endpoint("blob").parse().unwrap(),
        queue: account.endpoint("queue").parse().unwrap(),
        access: azure::Access::SharedKey {
            account: account.name.clone(),
            key: BASE64_STANDARD.decode(account.key()).unwrap().into(),
        },
    }
}

fn in_memory() -> Fresh {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let store = memory_with(clock.clone());
    Fresh {
        one: store.clone(),
        two: store,
        clock,
        unfinished: Box::new(|| 0),
        folder: None,
    }
}

fn in_folder() -> Fresh {
    in_folder_with(None)
}

fn encrypted() -> Fresh {
    in_folder_with(Some(&StoreKey::random().unwrap()))
}

fn in_folder_with(key: Option<&StoreKey>) -> Fresh {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000));
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let open = |mode| {
        let access = Access {
            mode,
            clock: clock.clone(),
            key: key.cloned(),
        };
        block_on(Local::open(&path, access)).unwrap().store()
    };
    let (one, two) = (open(Mode::Create), open(Mode::Existing));
    let unfinished = path.join("unfinished");
    Fresh {
        one,
        two,
        clock,
        unfinished: Box::new(move || std::fs::read_dir(&unfinished).unwrap().count()),
        folder: Some(folder),
    }
}

/// Runs a future to its end on a runtime of its own.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Runs `check` on a fresh store of every backend.
pub fn everywhere<F: Future<Output = ()>>(check: impl Fn(Fresh) -> F) {
    for (name, fresh) in all() {
        println!("backend {name}");
        let mut fresh = fresh();
        // A future may keep only the fields it names; the folder must outlive it.
        let _folder = fresh.folder.take();
        block_on(check(fresh));
    }
}
