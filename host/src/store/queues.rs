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

/// Queues by name. A queue is there as soon as something is sent to it.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Sends a message that can be received after `delay`.
    async fn send(&self, queue: &str, message: &Message, delay: Duration) -> anyhow::Result<()>;

    /// Leases the oldest message that can be received from one of `queues`, in their order.
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

    /// Names of the queues that hold messages, and how many each holds, in order of name.
    async fn counts(&self) -> anyhow::Result<Vec<(String, u64)>>;
}
