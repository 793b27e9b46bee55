//! Queues: messages of the service, and a card for each of ours.
//!
//! To send is three steps: the card is written, the message is put, the card is marked as sent. Who
//! sends it again after a crash between them sees that it is not marked, and puts it again; two
//! messages for one card do no harm. A message whose card is gone was dealt with or taken away, and
//! is dropped by whoever receives it. What is waiting is told from the cards alone.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    account::Account,
    card::{self, Card, Cards, Stand, State},
    leases::{Lease, foreign},
    receipt::Receipt,
    tickets::{Ticket, Tickets},
    wire::{self, Address},
};
use crate::store::{
    Handed, Mail, Message, Queues, Received, check_key, check_message, check_queue, millis,
};

/// Cards that are read or deleted at a time.
const AT_ONCE: usize = 16;

/// Most that one call of `receive` drops from a queue of what is dealt with.
const DROPPED: usize = 64;

/// Messages that this process has sent and may soon take back.
const REMEMBERED: usize = 4096;

/// A card that was not marked as sent for so long is one of a sender that died.
const SENDING: u64 = 60_000;

/// A message that waits for so long, in milliseconds, is put once more; then after twice as long, and so
/// on.
const WAITING: u64 = 60_000;

/// Machines' views of the service's time differ by less.
const BLUR: u64 = 2_000;

/// Queues of a storage account.
pub(super) struct AzureQueues {
    pub(super) account: Arc<Account>,
    pub(super) cards: Cards,
    tickets: Mutex<BTreeMap<String, Arc<Tickets>>>,
    /// Orders what one process sends in one millisecond.
    sent: AtomicU64,
    /// The groups of messages that were sent a short while ago, by queue and id.
    groups: Mutex<HashMap<(String, String), String>>,
}

impl AzureQueues {
    pub(super) fn new(account: &Arc<Account>) -> anyhow::Result<Self> {
        Ok(Self {
            account: Arc::clone(account),
            cards: Cards::new(account)?,
            tickets: Mutex::default(),
            sent: AtomicU64::new(0),
            groups: Mutex::default(),
        })
    }

    fn tickets(&self, queue: &str) -> anyhow::Result<Arc<Tickets>> {
        let mut known = locked(&self.tickets);
        if let Some(tickets) = known.get(queue) {
            return Ok(Arc::clone(tickets));
        }
        let tickets = Arc::new(Tickets::new(&self.account, queue)?);
        known.insert(queue.to_owned(), Arc::clone(&tickets));
        Ok(tickets)
    }

    /// When a lease of this length ends.
    pub(super) fn until(&self, lease: Duration) -> u64 {
        self.account.now().saturating_add(millis(lease))
    }

    /// Puts a message for a card that has none for certain, and marks the card.
    async fn put(
        &self,
        (queue, path): (&str, &str),
        message: &Message,
        (state, version): (State, &str),
        delay: Duration,
    ) -> anyhow::Result<()> {
        let text = wire::encode(message)?;
        let (ticket, pop) = self.tickets(queue)?.put(&text, delay).await?;
        let state = State {
            sent: true,
            due: self.until(delay),
            ticket,
            pop,
            ..state
        };
        // Who was faster has received it, and marked it so.
        self.cards.write(path, &state, version).await.map(drop)
    }

    /// The messages of these cards, those that are still there.
    async fn read(&self, stands: Vec<Stand>, limit: usize) -> anyhow::Result<Vec<Card>> {
        let paths = stands.into_iter().take(limit).map(|(path, _)| path);
        let read = paths.map(|path| async move { self.cards.read(&path).await });
        let read = stream::iter(read).buffered(AT_ONCE);
        read.try_filter_map(async |card| Ok(card))
            .try_collect()
            .await
    }

    /// Takes away a card and, if nobody has received it meanwhile, its message.
    async fn take_away(&self, (path, state): Stand) -> anyhow::Result<bool> {
        let removed = self.cards.delete(&path, None).await?;
        if let (true, Some(queue)) = (removed, card::queue_of(&path))
            && !state.adopted
            && !state.pop.is_empty()
        {
            self.tickets(queue)?
                .delete(&state.ticket, &state.pop)
                .await?;
        }
        Ok(removed)
    }

    /// Where the card of a message may be whose group is not told.
    async fn find(&self, queue: &str, id: &str) -> anyhow::Result<Option<Stand>> {
        let key = (queue.to_owned(), id.to_owned());
        let group = locked(&self.groups).remove(&key);
        if let Some(group) = group {
            let path = card::path(&group, queue, id);
            if let Some(card) = self.cards.read(&path).await? {
                return Ok(Some((path, card.state)));
            }
        }
        let end = format!("/{queue}/{}", card::name(id));
        let mut all = self.cards.list("").await?.into_iter();
        Ok(all.find(|(path, _)| path.ends_with(&end)))
    }

    fn remember(&self, queue: &str, message: &Message) {
        let mut groups = locked(&self.groups);
        if groups.len() >= REMEMBERED {
            groups.clear();
        }
        let key = (queue.to_owned(), message.id.clone());
        groups.insert(key, message.group.clone());
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Queues for AzureQueues {
    async fn send(&self, queue: &str, message: &Message, delay: Duration) -> anyhow::Result<()> {
        check_queue(queue)?;
        check_message(message)?;
        let path = card::path(&message.group, queue, &message.id);
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let state = State {
            at: format!("{:015}-{number:010}", self.account.now()),
            ..State::default()
        };
        self.remember(queue, message);
        let created = self.cards.create(&path, queue, message, &state).await?;
        if let Some(version) = created {
            return self
                .put((queue, &path), message, (state, &version), delay)
                .await;
        }
        match self.cards.read(&path).await? {
            Some(card) if !card.state.sent => {
                let stands = (card.state, card.version.as_str());
                self.put((queue, &path), &card.message, stands, delay).await
            }
            // It is there. If it was dealt with just now, it need not be sent: whoever did that had
            // it from one who sent the same.
            _ => Ok(()),
        }
    }

    async fn receive(&self, queues: &[&str], lease: Duration) -> anyhow::Result<Option<Received>> {
        for queue in queues {
            check_queue(queue)?;
        }
        for queue in queues {
            let tickets = self.tickets(queue)?;
            for _ in 0..DROPPED {
                let Some(ticket) = tickets.take(lease).await? else {
                    break;
                };
                let body = wire::decode(&ticket.text);
                let Some(address) = Address::of(&body) else {
                    return Ok(Some(foreign(queue, body, ticket, false)));
                };
                match self.lease(queue, &address, &ticket, (lease, false)).await? {
                    Lease::Taken(received) => return Ok(Some(received)),
                    Lease::Gone => drop(tickets.delete(&ticket.id, &ticket.pop).await?),
                    // It is looked at again when the other's time is up.
                    Lease::Busy(left) => {
                        tickets.hide(&ticket.id, &ticket.pop, left).await?;
                    }
                }
            }
        }
        Ok(None)
    }

    async fn renew(&self, received: &Received, lease: Duration) -> anyhow::Result<bool> {
        let tickets = self.tickets(&received.queue)?;
        if let Receipt::Foreign { .. } = Receipt::read(&received.receipt)? {
            // The key to it would change, and there is no card to keep it on: its lease ends as it
            // was taken, and nobody is at such a message for long.
            return Ok(true);
        }
        let Some(card) = self.held(received).await? else {
            return Ok(false);
        };
        let mut state = State {
            until: self.until(lease),
            ..card.state
        };
        if !state.adopted {
            let hidden = tickets.hide(&state.ticket, &state.pop, lease).await?;
            let Some(pop) = hidden else {
                return Ok(false);
            };
            state.pop = pop;
        }
        let written = self.cards.write(&card.path, &state, &card.version).await?;
        Ok(written.is_some())
    }

    async fn acknowledge(&self, received: &Received) -> anyhow::Result<bool> {
        let tickets = self.tickets(&received.queue)?;
        if let Receipt::Foreign {
            ticket,
            pop,
            adopted,
        } = Receipt::read(&received.receipt)?
        {
            return Ok(adopted || tickets.delete(&ticket, &pop).await?);
        }
        let Some((ticket, pop, adopted)) = self.finish(received).await? else {
            return Ok(false);
        };
        if !adopted {
            // Whoever receives it now drops it.
            tickets.delete(&ticket, &pop).await?;
        }
        Ok(true)
    }

    async fn release(&self, received: &Received, delay: Duration) -> anyhow::Result<bool> {
        let tickets = self.tickets(&received.queue)?;
        match Receipt::read(&received.receipt)? {
            Receipt::Foreign { adopted: true, .. } => {
                let body = &received.message.body;
                let text = BASE64_STANDARD.encode(body);
                return tickets.put(&text, delay).await.map(|_| true);
            }
            Receipt::Foreign { ticket, pop, .. } => {
                return Ok(tickets.hide(&ticket, &pop, delay).await?.is_some());
            }
            Receipt::Card { .. } => {}
        }
        let Some(card) = self.held(received).await? else {
            return Ok(false);
        };
        let adopted = card.state.adopted;
        let state = State {
            // Who holds the message will delete it: the card has none until there is another.
            sent: !adopted,
            due: self.until(delay),
            ..card.state.given_back()
        };
        let Some(version) = self.cards.write(&card.path, &state, &card.version).await? else {
            return Ok(false);
        };
        if adopted {
            let place = (received.queue.as_str(), card.path.as_str());
            let stands = (state, version.as_str());
            self.put(place, &card.message, stands, delay).await?;
        } else {
            // Without it, the message is there again when the lease has run out.
            tickets.hide(&state.ticket, &state.pop, delay).await?;
        }
        Ok(true)
    }

    async fn peek(&self, queue: &str, limit: usize) -> anyhow::Result<Vec<Message>> {
        check_queue(queue)?;
        let mut stands = self.cards.list("").await?;
        stands.retain(|(path, _)| card::queue_of(path) == Some(queue));
        let cards = self.read(stands, limit).await?;
        Ok(cards.into_iter().map(|card| card.message).collect())
    }

    async fn remove(&self, queue: &str, id: &str) -> anyhow::Result<bool> {
        check_queue(queue)?;
        match self.find(queue, id).await? {
            Some(stand) => self.take_away(stand).await,
            None => Ok(false),
        }
    }

    async fn of_group(&self, group: &str, limit: usize) -> anyhow::Result<Vec<(String, Message)>> {
        check_key(group)?;
        let mut stands = self.cards.list(&card::folder(group)).await?;
        // By queue, and in a queue by age, as they are sorted.
        stands.sort_by(|one, other| card::queue_of(&one.0).cmp(&card::queue_of(&other.0)));
        let cards = self.read(stands, limit).await?;
        let of_group = cards.into_iter().filter(|card| card.message.group == group);
        Ok(of_group.map(|card| (card.queue, card.message)).collect())
    }

    async fn sweep(&self, group: &str) -> anyhow::Result<u64> {
        check_key(group)?;
        let stands = self.cards.list(&card::folder(group)).await?;
        let swept = stands.into_iter().map(|stand| self.take_away(stand));
        let swept = stream::iter(swept).buffer_unordered(AT_ONCE);
        swept
            .try_fold(0, async |sum, taken| Ok(sum + u64::from(taken)))
            .await
    }

    async fn counts(&self) -> anyhow::Result<Vec<(String, u64)>> {
        let mut counts = BTreeMap::new();
        for (path, _) in self.cards.list("").await? {
            if let Some(queue) = card::queue_of(&path) {
                *counts.entry(queue.to_owned()).or_insert(0) += 1;
            }
        }
        Ok(counts.into_iter().collect())
    }

    async fn adopt(
        &self,
        queue: &str,
        handed: &Handed,
        lease: Duration,
    ) -> anyhow::Result<Option<Received>> {
        check_queue(queue)?;
        let ticket = Ticket {
            id: handed.id.clone(),
            pop: String::new(),
            text: String::new(),
            count: handed.dequeue_count,
        };
        let Some(address) = Address::of(&handed.body) else {
            return Ok(Some(foreign(queue, handed.body.clone(), ticket, true)));
        };
        match self.lease(queue, &address, &ticket, (lease, true)).await? {
            Lease::Taken(received) => Ok(Some(received)),
            Lease::Gone | Lease::Busy(_) => Ok(None),
        }
    }

    async fn revive(&self, group: &str) -> anyhow::Result<u64> {
        check_key(group)?;
        let mut revived = 0;
        for (path, state) in self.cards.list(&card::folder(group)).await? {
            let now = self.account.now();
            let lost = state.adopted && state.until.saturating_add(BLUR) < now;
            let at: u64 = state
                .at
                .get(..15)
                .and_then(|at| at.parse().ok())
                .unwrap_or(0);
            let unsent = !state.sent && at.saturating_add(SENDING) < now;
            // Who received it from the service may have been lost before the card was leased. It may
            // as well be waiting in a long line: so it is put again after ever longer waits.
            let patience = WAITING.saturating_mul(1 << state.again.min(20));
            let waits = state.sent && state.until == 0;
            let overdue = waits && state.due.saturating_add(patience) < now;
            if !lost && !unsent && !overdue {
                continue;
            }
            let Some(card) = self.cards.read(&path).await? else {
                continue;
            };
            if card.state != state {
                continue;
            }
            let state = State {
                sent: false,
                again: state.again.saturating_add(u32::from(overdue)),
                ..state.given_back()
            };
            // Only who turns the card puts the message, and who had the lease has lost it.
            let written = self.cards.write(&path, &state, &card.version).await?;
            if let Some(version) = written {
                let place = (card.queue.as_str(), path.as_str());
                let stands = (state, version.as_str());
                self.put(place, &card.message, stands, Duration::ZERO)
                    .await?;
                revived += 1;
            }
        }
        Ok(revived)
    }

    /// A message of the service, as the Functions host and the SDKs write and read it: in base64.
    async fn post(&self, queue: &str, _id: &str, text: &str) -> anyhow::Result<()> {
        check_queue(queue)?;
        let text = BASE64_STANDARD.encode(text);
        self.tickets(queue)?.put(&text, Duration::ZERO).await?;
        Ok(())
    }

    async fn fetch(&self, queue: &str, lease: Duration) -> anyhow::Result<Option<Mail>> {
        check_queue(queue)?;
        let Some(ticket) = self.tickets(queue)?.take(lease).await? else {
            return Ok(None);
        };
        // Who writes without base64 is understood, too: an event begins with a bracket, which base64 has not.
        let decoded = BASE64_STANDARD.decode(ticket.text.trim()).ok();
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(Some(Mail {
            text: decoded.unwrap_or(ticket.text),
            receipt: Received {
                queue: queue.to_owned(),
                message: Message::new(ticket.id, ""),
                dequeue_count: ticket.count,
                receipt: ticket.pop,
            },
        }))
    }

    async fn discard(&self, mail: &Mail) -> anyhow::Result<bool> {
        let Received {
            queue,
            message,
            receipt,
            ..
        } = &mail.receipt;
        self.tickets(queue)?.delete(&message.id, receipt).await
    }
}
