//! The store over Spin's key-value stores: races in every order that matters, and calls that are
//! broken off after any operation.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::bail;
use septet::store::{BlobError, Clock as _, Created, ManualClock, Message, Store};
use septet_spin_store::{KeyValue, Keyed, Swap, Tidied, Watched};

use super::{
    backends::block_on,
    double::{Double, KINDS, Kind},
    turns::together,
};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Orders of operations that are tried.
const ORDERS: u64 = 150;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(1_700_000_000_000))
}

fn opened(store: Arc<dyn KeyValue>) -> Store {
    Keyed::new(store, clock()).store()
}

/// Waits for what never waits: operations take turns by threads.
fn now<T>(future: impl Future<Output = anyhow::Result<T>>) -> T {
    block_on(future).unwrap()
}

#[test]
fn spins_stores_keep_few_promises() {
    // What a swap from nothing does, what its answer is worth, and what counting up by nothing leaves.
    for kind in KINDS {
        let store = Double::new(kind);
        let watched = store.watch("a").unwrap();
        store.set("a", b"first").unwrap();
        let answer = watched.swap.swap(b"second").unwrap();
        let left = store.get("a").unwrap().unwrap();
        let sqlite = kind == Kind::Sqlite;
        assert_eq!((answer, left == b"second"), (sqlite, sqlite), "{kind:?}");

        let watched = store.watch("a").unwrap();
        let answer = watched.swap.swap(b"third").unwrap();
        assert_eq!(store.get("a").unwrap().unwrap(), b"third");
        assert_eq!(answer, kind != Kind::Redis, "{kind:?}");

        assert_eq!(store.increment("n", 0).unwrap(), 0);
        let readable = store.get("n").is_ok();
        assert_eq!(readable, kind != Kind::Cosmos);
        assert!(store.increment("a", 0).is_err());
        assert_eq!(store.is_poisoned(), sqlite);
    }
}

#[test]
fn a_race_to_create_has_one_winner_in_any_order() {
    for kind in KINDS {
        for seed in 0..ORDERS {
            let double = Double::new(kind);
            let created = together(&double, (seed, 3), |me, store| {
                now(opened(store).records.create("runs/1", &[me as u8; 9]))
            });
            assert!(!double.is_poisoned(), "{kind:?} {seed}");
            let kept = now(opened(Arc::new(double)).records.get("runs/1")).unwrap();
            let mut winners = 0;
            for (me, created) in created.into_iter().enumerate() {
                match created {
                    Created::New => {
                        winners += 1;
                        assert_eq!(kept, [me as u8; 9]);
                    }
                    Created::Exists(value) => assert_eq!(value, kept),
                }
            }
            assert_eq!(winners, 1, "{kind:?} {seed}");
        }
    }
}

#[test]
fn a_record_that_is_deleted_meanwhile_is_there_or_not() {
    for kind in KINDS {
        for seed in 0..ORDERS {
            let double = Double::new(kind);
            now(opened(Arc::new(double.clone())).records.create("a", b"old"));
            together(&double, (seed, 3), |me, store| {
                let records = opened(store).records;
                if me == 0 {
                    now(records.delete("a"));
                } else if let Created::Exists(value) = now(records.create("a", b"new")) {
                    assert!(value == b"old" || value == b"new");
                }
            });
            assert!(!double.is_poisoned(), "{kind:?} {seed}");
            let records = opened(Arc::new(double)).records;
            let left = now(records.get("a"));
            assert_eq!(
                now(records.list("", None, 9)).len(),
                usize::from(left.is_some())
            );
            let again = now(records.create("a", b"last"));
            assert_eq!(again, left.map_or(Created::New, Created::Exists));
        }
    }
}

#[test]
fn a_message_is_leased_to_one_in_any_order() {
    for kind in KINDS {
        for seed in 0..ORDERS {
            let double = Double::new(kind);
            let message = Message::new("m", "body").in_group("run/1");
            let queues = opened(Arc::new(double.clone())).queues;
            now(queues.send("train", &message, Duration::ZERO));
            let ended = together(&double, (seed, 3), |me, store| {
                let queues = opened(store).queues;
                if me == 0 {
                    return now(queues.sweep("run/1")) == 1;
                }
                let received = now(queues.receive(&["train"], MINUTE));
                received.is_some_and(|received| now(queues.acknowledge(&received)))
            });
            let ends = ended.into_iter().filter(|ended| *ended).count();
            assert_eq!(ends, 1, "{kind:?} {seed}");
            assert!(now(queues.counts()).is_empty());
            assert!(!double.is_poisoned());
        }
    }
}

#[test]
fn a_blob_is_whole_or_missing_in_any_order() {
    let bytes = vec![7; 600_000];
    for kind in KINDS {
        for seed in 0..ORDERS / 5 {
            let double = Double::new(kind);
            let blobs = opened(Arc::new(double.clone())).blobs;
            let digest = now(blobs.put(&bytes));
            let removed = together(&double, (seed, 3), |me, store| {
                let blobs = opened(store).blobs;
                match me {
                    0 => now(blobs.list(None, 9))
                        .iter()
                        .any(|listed| now(blobs.remove(listed))),
                    1 => {
                        now(blobs.put(&bytes));
                        false
                    }
                    _ => {
                        now(blobs.touch(&digest));
                        let read = block_on(blobs.get(&digest, 1 << 20));
                        let fine = match read {
                            Ok(read) => read == bytes,
                            Err(error) => matches!(error, BlobError::Missing(_)),
                        };
                        assert!(fine, "{kind:?} {seed}");
                        false
                    }
                }
            });
            match block_on(blobs.get(&digest, 1 << 20)) {
                Ok(read) => assert!(read == bytes),
                Err(error) => {
                    assert!(matches!(error, BlobError::Missing(_)), "{error}");
                    assert!(removed[0]);
                }
            }
            assert!(!double.is_poisoned());
        }
    }
}

/// A store whose process ends at one operation: before or after it is done, and nothing after that.
struct Ending {
    double: Double,
    left: AtomicUsize,
    after: bool,
}

impl Ending {
    fn step<T>(&self, act: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let left = self.left.load(Ordering::SeqCst);
        self.left.store(left.saturating_sub(1), Ordering::SeqCst);
        match left {
            0 => bail!("the process has ended"),
            1 => {
                if self.after {
                    act()?;
                }
                bail!("the process ends")
            }
            _ => act(),
        }
    }
}

impl KeyValue for Ending {
    fn get(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        self.step(|| self.double.get(key))
    }

    fn set(&self, key: &str, value: &[u8]) -> anyhow::Result<()> {
        self.step(|| self.double.set(key, value))
    }

    fn delete(&self, key: &str) -> anyhow::Result<()> {
        self.step(|| self.double.delete(key))
    }

    fn keys(&self) -> anyhow::Result<Vec<String>> {
        self.step(|| self.double.keys())
    }

    fn increment(&self, key: &str, by: i64) -> anyhow::Result<i64> {
        self.step(|| self.double.increment(key, by))
    }

    fn watch(&self, key: &str) -> anyhow::Result<Watched<'_>> {
        let watched = self.step(|| self.double.watch(key))?;
        let swap = EndingSwap(self, watched.swap);
        Ok(Watched {
            current: watched.current,
            swap: Box::new(swap),
        })
    }
}

struct EndingSwap<'a>(&'a Ending, Box<dyn Swap + 'a>);

impl Swap for EndingSwap<'_> {
    fn swap(self: Box<Self>, value: &[u8]) -> anyhow::Result<bool> {
        self.0.step(|| self.1.swap(value))
    }
}

/// What a process may do with a store, as one that is started again does it.
async fn work(store: &Store) -> anyhow::Result<()> {
    let digest = store.blobs.put(&vec![1; 300_000]).await?;
    store.records.create("runs/1", &vec![2; 300_000]).await?;
    let message = Message::new("m", "body").in_group("runs/1");
    store.queues.send("q", &message, Duration::ZERO).await?;
    store.blobs.touch(&digest).await?;
    if let Some(received) = store.queues.receive(&["q"], MINUTE).await? {
        store.queues.renew(&received, MINUTE).await?;
        store.records.create("done", b"").await?;
        store.queues.acknowledge(&received).await?;
    }
    store.records.delete("runs/1").await?;
    let other = store.blobs.put(&vec![3; 300_000]).await?;
    for listed in store.blobs.list(None, 9).await? {
        if listed.digest == other {
            store.blobs.remove(&listed).await?;
        }
    }
    Ok(())
}

#[test]
fn what_was_broken_off_is_done_again_and_leaves_nothing() {
    for kind in KINDS {
        let keys = |double: &Double| {
            let mut keys = double.keys().unwrap();
            // A cell that was emptied keeps its key, and a zero its own.
            keys.retain(|key| {
                key.starts_with("v:") || key.starts_with("p:") || key.starts_with("m:")
            });
            keys.len()
        };
        let undisturbed = Double::new(kind);
        now(work(&opened(Arc::new(undisturbed.clone()))));
        // The first blob's head and two pieces, and the record that it is done.
        assert_eq!(keys(&undisturbed), 4, "{kind:?}: {:?}", undisturbed.keys());

        for after in [false, true] {
            for operation in 1.. {
                let double = Double::new(kind);
                let clock = clock();
                let ending = Ending {
                    double: double.clone(),
                    left: AtomicUsize::new(operation),
                    after,
                };
                let store = Keyed::new(Arc::new(ending), clock.clone()).store();
                let whole = block_on(work(&store)).is_ok();
                drop(store);
                let keyed = Keyed::new(Arc::new(double.clone()), clock.clone());
                clock.advance(2 * MINUTE);
                now(work(&keyed.store()));
                let young = keyed.tidy(HOUR).unwrap();
                assert_eq!(young, Tidied::default());
                clock.advance(2 * HOUR);
                now(work(&keyed.store()));
                keyed.tidy(HOUR).unwrap();
                assert_eq!(keyed.tidy(HOUR).unwrap(), Tidied::default());
                let found = keys(&double);
                assert_eq!(
                    found,
                    4,
                    "{kind:?} {operation} {after}: {:?}",
                    double.keys()
                );
                assert!(!double.is_poisoned());
                if whole {
                    assert!(operation > 50, "{operation}");
                    break;
                }
            }
        }
    }
}

#[test]
fn a_clock_that_tells_nothing_is_no_reason_to_fail() {
    let double = Double::new(Kind::Sqlite);
    let clock = Arc::new(ManualClock::new(0));
    let keyed = Keyed::new(Arc::new(double), clock.clone());
    now(work(&keyed.store()));
    assert_eq!(clock.now(), 0);
    assert_eq!(keyed.tidy(HOUR).unwrap(), Tidied::default());
}
