//! Work to be done, delivered at least once.

use std::time::Duration;

use async_trait::async_trait;

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Sending a second message of the same id while the first is still in the queue may be
    /// dropped, and may not be: who receives must be idempotent.
    pub id: String,
    /// At most 48 KiB, the least that any backend takes.
    pub body: Vec<u8>,
    /// What it belongs to, so that it is found and swept with the others of that; empty where it
    /// belongs to nothing. As long and as plain as a record's key.
    pub group: String,
}

impl Message {
    /// A message that belongs to nothing.
    pub fn new(id: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            id: id.into(),
            body: body.into(),
            group: String::new(),
        }
    }

    /// The message as one of `group`.
    #[must_use]
    pub fn in_group(mut self, group: impl Into<String>) -> Self {
        self.group = group.into();
        self
    }
}

/// A message on lease to one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Where it came from.
    pub queue: String,
    /// The message.
    pub message: Message,
    /// How many times it was received, this time included.
    pub dequeue_count: u32,
    /// Proof of the lease; void once the lease has run out and the message was received again.
    pub receipt: String,
}

/// A message that somebody else received from the service and holds, as they hand it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// The service's own identifier of the message.
    pub id: String,
    /// The message as it is on the wire, decoded once.
    pub body: Vec<u8>,
    /// How many times the service says that it was received.
    pub dequeue_count: u32,
}

/// A text that came through a queue of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// As it was written, by anybody.
    pub text: String,
    /// Proof of the lease, for the queue that it came from.
    pub receipt: Received,
}

/// Queues by name. A queue is there as soon as something is sent to it.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Sends a message that can be received after `delay`.
    async fn send(&self, queue: &str, message: &Message, delay: Duration) -> anyhow::Result<()>;

    /// Leases the message that has been there to be received for longest, from the first of
    /// `queues` that has one. What it takes does not grow with the messages that wait.
    async fn receive(&self, queues: &[&str], lease: Duration) -> anyhow::Result<Option<Received>>;

    /// Extends the lease from now; false where it is lost.
    async fn renew(&self, received: &Received, lease: Duration) -> anyhow::Result<bool>;

    /// Deletes the message; false where the lease is lost.
    async fn acknowledge(&self, received: &Received) -> anyhow::Result<bool>;

    /// Gives the message back, to be received after `delay`; false where the lease is lost.
    async fn release(&self, received: &Received, delay: Duration) -> anyhow::Result<bool>;

    /// The oldest messages, leased ones included, without a lease.
    async fn peek(&self, queue: &str, limit: usize) -> anyhow::Result<Vec<Message>>;

    /// Deletes a message, leased or not; false where there is none with this id.
    async fn remove(&self, queue: &str, id: &str) -> anyhow::Result<bool>;

    /// The messages of a group in all queues, leased ones included, each with its queue.
    async fn of_group(&self, group: &str, limit: usize) -> anyhow::Result<Vec<(String, Message)>>;

    /// Deletes the messages of a group in all queues, leased or not, and says how many.
    async fn sweep(&self, group: &str) -> anyhow::Result<u64>;

    /// Names of the queues that hold messages, and how many each holds, in order of name.
    async fn counts(&self) -> anyhow::Result<Vec<(String, u64)>>;

    /// Takes a lease on a message that somebody else received and holds, and will delete once they
    /// are told that it was dealt with. None where it was removed meanwhile or is leased to
    /// another: there is nothing to be done then, and it may be deleted.
    async fn adopt(
        &self,
        queue: &str,
        _handed: &Handed,
        _lease: Duration,
    ) -> anyhow::Result<Option<Received>> {
        anyhow::bail!("messages of this store's queue {queue} are not handed over by others")
    }

    /// Sends those messages of a group again whose lease ran out while somebody else still holds
    /// them, and says how many. Nothing is to be done where the store itself gives them out again.
    async fn revive(&self, _group: &str) -> anyhow::Result<u64> {
        Ok(0)
    }

    /// Puts a text into a queue that others read, as it is; at most 48 KiB. They know nothing of what this
    /// store keeps beside its own messages.
    async fn post(&self, queue: &str, id: &str, text: &str) -> anyhow::Result<()> {
        let message = Message::new(id, text);
        self.send(queue, &message, Duration::ZERO).await
    }

    /// Leases the next text of a queue that others write to.
    async fn fetch(&self, queue: &str, lease: Duration) -> anyhow::Result<Option<Mail>> {
        let received = self.receive(&[queue], lease).await?;
        Ok(received.map(|receipt| Mail {
            text: String::from_utf8_lossy(&receipt.message.body).into_owned(),
            receipt,
        }))
    }

    /// Deletes a text that was fetched; false where the lease is lost.
    async fn discard(&self, mail: &Mail) -> anyhow::Result<bool> {
        self.acknowledge(&mail.receipt).await
    }
}
