//! A backend that fails before or after any of its operations: a store without transactions
//! whose process is stopped between any two steps.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::bail;
use async_trait::async_trait;
use septet::{
    contract::Digest,
    store::{
        BlobError, BlobReader, BlobWriter, Blobs, Created, Entry, Listed, Message, Queues,
        Received, Records, Store,
    },
};

/// Which operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation with this number is not done.
    Before(usize),
    /// It is done, and the answer is lost.
    After(usize),
}

/// What happens when it has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The process is gone: no further operation is done.
    Stop,
    /// The process goes on.
    GoOn,
}

/// Counts operations, and fails one.
pub struct Faults {
    fault: Option<Fault>,
    then: Then,
    count: AtomicUsize,
    stopped: AtomicBool,
    /// What failed, for the message of a failing test.
    pub failed: Mutex<String>,
}

impl Faults {
    /// `store` with one fault, and the counter.
    pub fn over(store: &Store, fault: Option<Fault>, then: Then) -> (Store, Arc<Self>) {
        let faults = Arc::new(Self {
            fault,
            then,
            count: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            failed: Mutex::default(),
        });
        let backend = Arc::new(Faulty {
            store: store.clone(),
            faults: Arc::clone(&faults),
        });
        let store = Store {
            blobs: backend.clone(),
            records: backend.clone(),
            queues: backend,
        };
        (store, faults)
    }

    /// How many operations there were.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    fn enter(&self, what: &str) -> anyhow::Result<usize> {
        if self.stopped.load(Ordering::SeqCst) {
            bail!("the process is gone");
        }
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        if self.fault == Some(Fault::Before(number)) {
            return self.fail(what);
        }
        Ok(number)
    }

    fn leave(&self, number: usize, what: &str) -> anyhow::Result<()> {
        if self.fault == Some(Fault::After(number)) {
            return self.fail(what);
        }
        Ok(())
    }

    fn fail<T>(&self, what: &str) -> anyhow::Result<T> {
        what.clone_into(&mut self.failed.lock().unwrap());
        self.stopped
            .store(self.then == Then::Stop, Ordering::SeqCst);
        bail!("{:?}: {what}", self.fault)
    }
}

struct Faulty {
    store: Store,
    faults: Arc<Faults>,
}

macro_rules! faulty {
    ($self:ident, $what:expr, $operation:expr) => {{
        let what = $what;
        let number = $self.faults.enter(&what)?;
        let answer = $operation.await;
        $self.faults.leave(number, &what)?;
        answer
    }};
}

#[async_trait]
impl Blobs for Faulty {
    async fn create(&self) -> anyhow::Result<Box<dyn BlobWriter>> {
        let inner = faulty!(self, "create blob".to_owned(), self.store.blobs.create())?;
        let faults = Arc::clone(&self.faults);
        Ok(Box::new(Writer { inner, faults }))
    }

    async fn open(&self, digest: &Digest) -> Result<Box<dyn BlobReader>, BlobError> {
        faulty!(self, "open blob".to_owned(), self.store.blobs.open(digest))
    }

    async fn touch(&self, digest: &Digest) -> anyhow::Result<Option<u64>> {
        faulty!(self, "touch".to_owned(), self.store.blobs.touch(digest))
    }

    async fn list(&self, after: Option<&Digest>, limit: usize) -> anyhow::Result<Vec<Listed>> {
        let blobs = &self.store.blobs;
        faulty!(self, "list blobs".to_owned(), blobs.list(after, limit))
    }

    async fn remove(&self, listed: &Listed) -> anyhow::Result<bool> {
        let blobs = &self.store.blobs;
        faulty!(self, "remove blob".to_owned(), blobs.remove(listed))
    }
}

struct Writer {
    inner: Box<dyn BlobWriter>,
    faults: Arc<Faults>,
}

#[async_trait]
impl BlobWriter for Writer {
    async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        faulty!(self, "write".to_owned(), self.inner.write(bytes))
    }

    async fn finish(self: Box<Self>) -> anyhow::Result<(Digest, u64)> {
        faulty!(self, "finish".to_owned(), self.inner.finish())
    }
}

#[async_trait]
impl Records for Faulty {
    async fn create(&self, key: &str, value: &[u8]) -> anyhow::Result<Created> {
        let records = &self.store.records;
        faulty!(self, format!("create {key}"), records.create(key, value))
    }

    async fn get(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        faulty!(self, format!("get {key}"), self.store.records.get(key))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> anyhow::Result<Vec<Entry>> {
        let records = &self.store.records;
        faulty!(
            self,
            format!("list {prefix}"),
            records.list(prefix, after, limit)
        )
    }

    async fn delete(&self, key: &str) -> anyhow::Result<()> {
        faulty!(
            self,
            format!("delete {key}"),
            self.store.records.delete(key)
        )
    }
}

#[async_trait]
impl Queues for Faulty {
    async fn send(&self, queue: &str, message: &Message, delay: Duration) -> anyhow::Result<()> {
        let queues = &self.store.queues;
        faulty!(
            self,
            format!("send to {queue}"),
            queues.send(queue, message, delay)
        )
    }

    async fn receive(&self, names: &[&str], lease: Duration) -> anyhow::Result<Option<Received>> {
        let queues = &self.store.queues;
        faulty!(self, "receive".to_owned(), queues.receive(names, lease))
    }

    async fn renew(&self, received: &Received, lease: Duration) -> anyhow::Result<bool> {
        let queues = &self.store.queues;
        faulty!(self, "renew".to_owned(), queues.renew(received, lease))
    }

    async fn acknowledge(&self, received: &Received) -> anyhow::Result<bool> {
        let queues = &self.store.queues;
        faulty!(self, "acknowledge".to_owned(), queues.acknowledge(received))
    }

    async fn release(&self, received: &Received, delay: Duration) -> anyhow::Result<bool> {
        let queues = &self.store.queues;
        faulty!(self, "release".to_owned(), queues.release(received, delay))
    }

    async fn peek(&self, queue: &str, limit: usize) -> anyhow::Result<Vec<Message>> {
        let queues = &self.store.queues;
        faulty!(self, format!("peek {queue}"), queues.peek(queue, limit))
    }

    async fn remove(&self, queue: &str, id: &str) -> anyhow::Result<bool> {
        let queues = &self.store.queues;
        faulty!(
            self,
            format!("remove from {queue}"),
            queues.remove(queue, id)
        )
    }

    async fn of_group(&self, group: &str, limit: usize) -> anyhow::Result<Vec<(String, Message)>> {
        let queues = &self.store.queues;
        faulty!(
            self,
            format!("look for {group}"),
            queues.of_group(group, limit)
        )
    }

    async fn sweep(&self, group: &str) -> anyhow::Result<u64> {
        faulty!(
            self,
            format!("sweep {group}"),
            self.store.queues.sweep(group)
        )
    }

    async fn counts(&self) -> anyhow::Result<Vec<(String, u64)>> {
        faulty!(self, "counts".to_owned(), self.store.queues.counts())
    }
}
