//! Queues in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use crate::store::{
    Clock, Message, Queues, Received,
    clock::millis,
    names::{check_key, check_message, check_queue},
};

/// Queues in memory. They live no longer than the process, and so their times are those that
/// nobody can set.
pub(super) struct MemoryQueues {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queues: BTreeMap<String, Vec<Waiting>>,
    leases: u64,
    sent: u64,
}

struct Waiting {
    message: Message,
    visible_at: u64,
    sent: u64,
    dequeue_count: u32,
    receipt: Option<String>,
}

impl MemoryQueues {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the message that `received` holds the lease of; false where the lease is lost.
    fn change(&self, received: &Received, change: impl FnOnce(&mut Waiting)) -> bool {
        let mut state = self.state();
        let queue = state.queues.get_mut(&received.queue);
        let waiting = queue.and_then(|queue| queue.iter_mut().find(|w| w.is(received)));
        waiting.map(change).is_some()
    }
}

impl Waiting {
    fn is(&self, received: &Received) -> bool {
        self.message.id == received.message.id
            && self.receipt.as_deref() == Some(received.receipt.as_str())
    }
}

#[async_trait]
impl Queues for MemoryQueues {
    async fn send(&self, queue: &str, message: &Message, delay: Duration) -> anyhow::Result<()> {
        check_queue(queue)?;
        check_message(message)?;
        let visible_at = self.clock.steady() + millis(delay);
        let mut state = self.state();
        state.sent += 1;
        let sent = state.sent;
        let queue = state.queues.entry(queue.to_owned()).or_default();
        if !queue.iter().any(|waiting| waiting.message.id == message.id) {
            queue.push(Waiting {
                message: message.clone(),
                visible_at,
                sent,
                dequeue_count: 0,
                receipt: None,
            });
        }
        Ok(())
    }

    async fn receive(&self, queues: &[&str], lease: Duration) -> anyhow::Result<Option<Received>> {
        let now = self.clock.steady();
        let mut state = self.state();
        state.leases += 1;
        let receipt = state.leases.to_string();
        for name in queues {
            check_queue(name)?;
            let queue = state.queues.get_mut(*name);
            let ready = queue.and_then(|queue| {
                let visible = queue.iter_mut().filter(|w| w.visible_at <= now);
                visible.min_by_key(|w| (w.visible_at, w.sent))
            });
            if let Some(waiting) = ready {
                waiting.visible_at = now + millis(lease);
                waiting.dequeue_count = waiting.dequeue_count.saturating_add(1);
                waiting.receipt = Some(receipt.clone());
                return Ok(Some(Received {
                    queue: (*name).to_owned(),
                    message: waiting.message.clone(),
                    dequeue_count: waiting.dequeue_count,
                    receipt,
                }));
            }
        }
        Ok(None)
    }

    async fn renew(&self, received: &Received, lease: Duration) -> anyhow::Result<bool> {
        let until = self.clock.steady() + millis(lease);
        Ok(self.change(received, |waiting| waiting.visible_at = until))
    }

    async fn acknowledge(&self, received: &Received) -> anyhow::Result<bool> {
        let mut state = self.state();
        let Some(queue) = state.queues.get_mut(&received.queue) else {
            return Ok(false);
        };
        let before = queue.len();
        queue.retain(|waiting| !waiting.is(received));
        Ok(queue.len() < before)
    }

    async fn release(&self, received: &Received, delay: Duration) -> anyhow::Result<bool> {
        let visible_at = self.clock.steady() + millis(delay);
        Ok(self.change(received, |waiting| {
            waiting.visible_at = visible_at;
            waiting.receipt = None;
        }))
    }

    async fn peek(&self, queue: &str, limit: usize) -> anyhow::Result<Vec<Message>> {
        check_queue(queue)?;
        let state = self.state();
        let waiting = state.queues.get(queue).map(Vec::as_slice);
        let waiting = waiting.unwrap_or_default().iter().take(limit);
        Ok(waiting.map(|waiting| waiting.message.clone()).collect())
    }

    async fn remove(&self, queue: &str, id: &str) -> anyhow::Result<bool> {
        check_queue(queue)?;
        let mut state = self.state();
        let Some(queue) = state.queues.get_mut(queue) else {
            return Ok(false);
        };
        let before = queue.len();
        queue.retain(|waiting| waiting.message.id != id);
        Ok(queue.len() < before)
    }

    async fn of_group(&self, group: &str, limit: usize) -> anyhow::Result<Vec<(String, Message)>> {
        check_key(group)?;
        let state = self.state();
        let all = state.queues.iter().flat_map(|(name, queue)| {
            let own = queue.iter().filter(|w| w.message.group == group);
            own.map(|w| (name.clone(), w.message.clone()))
        });
        Ok(all.take(limit).collect())
    }

    async fn sweep(&self, group: &str) -> anyhow::Result<u64> {
        check_key(group)?;
        let mut swept = 0;
        for queue in self.state().queues.values_mut() {
            let before = queue.len();
            queue.retain(|waiting| waiting.message.group != group);
            swept += (before - queue.len()) as u64;
        }
        Ok(swept)
    }

    async fn counts(&self) -> anyhow::Result<Vec<(String, u64)>> {
        let state = self.state();
        let holding = state.queues.iter().filter(|(_, queue)| !queue.is_empty());
        Ok(holding
            .map(|(name, queue)| (name.clone(), queue.len() as u64))
            .collect())
    }
}
