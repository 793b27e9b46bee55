//! Queues: a key for each sending, swapped as it was seen.
//!
//! What is to be read is told from the keys, so that what waits is not read: a message is never there
//! to be received before its key says. The keys themselves are all listed, since there is no other way.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use septet_core::store::{
    Message, Queues, Received, check_key, check_message, check_queue, millis,
};

use crate::{
    Id,
    cell::Cells,
    jump::{Jump, Jumps, TOLERANCE},
    message::{Card, PREFIX, Place, State, short},
};

/// How often others may be faster at one message before it is taken for theirs.
const ROUNDS: usize = 16;

/// Milliseconds for which the end of a message is left to be seen by who has written it.
const LINGER: u64 = 60_000;

/// Queues in a key-value store.
pub(crate) struct KeyedQueues {
    cells: Arc<Cells>,
    jumps: Jumps,
    /// Orders what is sent in one millisecond.
    sent: AtomicU64,
}

/// A message as it was read.
struct Seen {
    key: String,
    card: Card,
    /// What it must still be to be swapped.
    bytes: Vec<u8>,
}

impl KeyedQueues {
    pub(crate) fn new(cells: Arc<Cells>) -> Self {
        Self {
            cells,
            jumps: Jumps::default(),
            sent: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        self.cells.clock.now()
    }

    fn after(&self, duration: Duration) -> u64 {
        self.now().saturating_add(millis(duration))
    }

    /// The messages that `which` wants, in order of when they were due, then of when they were sent.
    fn places(&self, which: impl Fn(&Place) -> bool) -> anyhow::Result<Vec<Place>> {
        let keys = self.cells.store.keys()?;
        let places = keys.iter().filter_map(|key| Place::read(key));
        let mut places: Vec<_> = places.filter(which).collect();
        places.sort_unstable();
        Ok(places)
    }

    /// What lies under a key; none where it is gone.
    fn read(&self, key: String) -> anyhow::Result<Option<Seen>> {
        let Some(bytes) = self.cells.store.get(&key)? else {
            return Ok(None);
        };
        let card = Card::read(&key, &bytes)?;
        Ok((!card.state.gone).then_some(Seen { key, card, bytes }))
    }

    /// Puts another state in the place of what was seen; false where it is another's by now.
    fn write(&self, seen: Seen, change: impl FnOnce(&mut State)) -> anyhow::Result<bool> {
        let Seen {
            key,
            mut card,
            bytes,
        } = seen;
        change(&mut card.state);
        let new = card.write()?;
        let watched = self.cells.store.watch(&key)?;
        if watched.current.as_deref() != Some(&bytes) {
            return Ok(false);
        }
        let answer = watched.swap.swap(&new);
        // No answer is believed; what is there is, since each change has a mark of its own.
        if self.cells.store.get(&key)?.as_deref() == Some(&new) {
            return Ok(true);
        }
        answer.map(|_| false)
    }

    /// Ends a message, whoever has it; false where it has ended before.
    fn end(&self, key: &str, wanted: impl Fn(&State) -> bool) -> anyhow::Result<bool> {
        for _ in 0..ROUNDS {
            let Some(seen) = self
                .read(key.to_owned())?
                .filter(|seen| wanted(&seen.card.state))
            else {
                return Ok(false);
            };
            let now = self.now();
            let ended = self.write(seen, |state| {
                state.gone = true;
                state.since = now;
            })?;
            if ended {
                // Whoever reads it now sees its end, and nobody puts anything under this key again.
                self.cells.store.delete(key)?;
                return Ok(true);
            }
        }
        anyhow::bail!("the message under {key} is changed by others again and again")
    }

    /// Changes the message that `received` has the lease of; false where it is lost.
    fn change(&self, received: &Received, change: impl Fn(&mut State)) -> anyhow::Result<bool> {
        let Some(key) = key_of(received) else {
            return Ok(false);
        };
        for _ in 0..ROUNDS {
            let Some(seen) = self.read(key.to_owned())? else {
                return Ok(false);
            };
            if seen.card.state.receipt != received.receipt {
                return Ok(false);
            }
            if self.write(seen, &change)? {
                return Ok(true);
            }
        }
        anyhow::bail!("the message under {key} is changed by others again and again")
    }

    /// Lets times that the clock's being set has made wrong begin anew.
    fn mend(&self, now: u64) -> anyhow::Result<()> {
        let reading = (now, self.cells.clock.steady());
        let jump = self.jumps.look(reading);
        if jump != Jump::None {
            for place in self.places(|_| true)? {
                let Some(seen) = self.read(place.key())? else {
                    continue;
                };
                let State {
                    since,
                    visible_at,
                    receipt,
                    ..
                } = &seen.card.state;
                let wrong = match jump {
                    Jump::None => false,
                    Jump::Back => *since > now,
                    // Delays are left: what comes too early comes to no harm.
                    Jump::Forward(unset) => {
                        !receipt.is_empty() && *since <= unset && *visible_at > unset
                    }
                };
                if wrong {
                    // Who was faster has mended it as well.
                    self.write(seen, |state| anew(state, now))?;
                }
            }
        }
        self.jumps.seen(reading);
        Ok(())
    }

    /// The message of these that has been there to be received for longest.
    fn longest(&self, places: &[Place], now: u64) -> anyhow::Result<Option<(Place, Seen)>> {
        let mut best: Option<(Place, Seen)> = None;
        for place in places {
            // What was sent later than now is from before the clock was set: its key tells nothing.
            if place.at <= now.saturating_add(TOLERANCE) {
                let order = (place.due, place.sent());
                let later = |(best, seen): &(Place, Seen)| order > order_of(best, seen);
                if place.due > now || best.as_ref().is_some_and(later) {
                    continue;
                }
            }
            let Some(seen) = self.read(place.key())? else {
                self.forget(&place.key(), now)?;
                continue;
            };
            let Some(seen) = self.mended(seen, now)? else {
                continue;
            };
            let order = order_of(place, &seen);
            let better = |(best, there): &(Place, Seen)| order < order_of(best, there);
            if seen.card.state.visible_at <= now && best.as_ref().is_none_or(better) {
                best = Some((place.clone(), seen));
            }
        }
        Ok(best)
    }

    /// A message that was written later than now, with times that begin now; none where another
    /// changed it just now.
    fn mended(&self, seen: Seen, now: u64) -> anyhow::Result<Option<Seen>> {
        if seen.card.state.since <= now.saturating_add(TOLERANCE) {
            return Ok(Some(seen));
        }
        let key = seen.key.clone();
        if !self.write(seen, |state| anew(state, now))? {
            return Ok(None);
        }
        self.read(key)
    }

    /// Takes away what is left of a message whose end was written a while ago.
    fn forget(&self, key: &str, now: u64) -> anyhow::Result<()> {
        if let Some(bytes) = self.cells.store.get(key)? {
            let state = Card::read(key, &bytes)?.state;
            if state.gone && state.since.saturating_add(LINGER) < now {
                self.cells.store.delete(key)?;
            }
        }
        Ok(())
    }
}

/// When it could be received, then when it was sent.
const fn order_of(place: &Place, seen: &Seen) -> (u64, (u64, u64)) {
    (seen.card.state.visible_at, place.sent())
}

fn anew(state: &mut State, now: u64) {
    let left = state.visible_at.saturating_sub(state.since);
    state.visible_at = now.saturating_add(left);
    state.since = now;
}

/// The key that a receipt tells, if it is one of this store.
fn key_of(received: &Received) -> Option<&str> {
    let (_, key) = received.receipt.split_once('@')?;
    (Place::read(key)?.queue == received.queue).then_some(key)
}

#[async_trait]
impl Queues for KeyedQueues {
    async fn send(&self, queue: &str, message: &Message, delay: Duration) -> anyhow::Result<()> {
        check_queue(queue)?;
        check_message(message)?;
        let id = short(&message.id);
        for place in self.places(|place| place.queue == queue && place.id == id)? {
            if self
                .read(place.key())?
                .is_some_and(|seen| seen.card.state.id == message.id)
            {
                return Ok(());
            }
        }
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let (now, due) = (self.now(), self.after(delay));
        let place = Place::new(queue, message, (due, now), number);
        let state = State {
            id: message.id.clone(),
            group: message.group.clone(),
            visible_at: due,
            since: now,
            count: 0,
            receipt: String::new(),
            gone: false,
            mark: String::new(),
        };
        let body = message.body.clone();
        // Nobody else has this key, so that there is nothing to compare with.
        self.cells
            .store
            .set(&place.key(), &Card { state, body }.write()?)
    }

    async fn receive(&self, queues: &[&str], lease: Duration) -> anyhow::Result<Option<Received>> {
        for queue in queues {
            check_queue(queue)?;
        }
        self.mend(self.now())?;
        let all = self.places(|place| queues.contains(&place.queue.as_str()))?;
        for queue in queues {
            let own = all.iter().filter(|place| place.queue == *queue);
            let mut places: Vec<Place> = own.cloned().collect();
            loop {
                let now = self.now();
                let Some((place, seen)) = self.longest(&places, now)? else {
                    break;
                };
                let receipt = format!("{}@{}", Id::fresh(), seen.key);
                let received = Received {
                    queue: place.queue.clone(),
                    message: seen.card.clone().message(),
                    dequeue_count: seen.card.state.count.saturating_add(1),
                    receipt: receipt.clone(),
                };
                let until = now.saturating_add(millis(lease));
                let leased = self.write(seen, |state| {
                    state.count = received.dequeue_count;
                    state.visible_at = until;
                    state.since = now;
                    state.receipt = receipt;
                })?;
                if leased {
                    return Ok(Some(received));
                }
                // Another was faster, and has it.
                places.retain(|other| *other != place);
            }
        }
        Ok(None)
    }

    async fn renew(&self, received: &Received, lease: Duration) -> anyhow::Result<bool> {
        let (now, until) = (self.now(), self.after(lease));
        self.change(received, |state| {
            state.visible_at = until;
            state.since = now;
        })
    }

    async fn acknowledge(&self, received: &Received) -> anyhow::Result<bool> {
        let Some(key) = key_of(received) else {
            return Ok(false);
        };
        self.end(key, |state| state.receipt == received.receipt)
    }

    async fn release(&self, received: &Received, delay: Duration) -> anyhow::Result<bool> {
        let (now, visible_at) = (self.now(), self.after(delay));
        self.change(received, |state| {
            state.visible_at = visible_at;
            state.since = now;
            state.receipt.clear();
        })
    }

    async fn peek(&self, queue: &str, limit: usize) -> anyhow::Result<Vec<Message>> {
        check_queue(queue)?;
        let mut places = self.places(|place| place.queue == queue)?;
        places.sort_by_key(Place::sent);
        let mut messages = Vec::new();
        for place in places {
            if messages.len() >= limit {
                break;
            }
            let seen = self.read(place.key())?;
            messages.extend(seen.map(|seen| seen.card.message()));
        }
        Ok(messages)
    }

    async fn remove(&self, queue: &str, id: &str) -> anyhow::Result<bool> {
        check_queue(queue)?;
        let name = short(id);
        let mut removed = false;
        for place in self.places(|place| place.queue == queue && place.id == name)? {
            removed |= self.end(&place.key(), |state| state.id == id)?;
        }
        Ok(removed)
    }

    async fn of_group(&self, group: &str, limit: usize) -> anyhow::Result<Vec<(String, Message)>> {
        check_key(group)?;
        let name = short(group);
        let mut places = self.places(|place| place.group == name)?;
        places.sort_by(|one, two| (&one.queue, one.sent()).cmp(&(&two.queue, two.sent())));
        let mut found = Vec::new();
        for place in places {
            if found.len() >= limit {
                break;
            }
            let seen = self
                .read(place.key())?
                .filter(|seen| seen.card.state.group == group);
            found.extend(seen.map(|seen| (place.queue, seen.card.message())));
        }
        Ok(found)
    }

    async fn sweep(&self, group: &str) -> anyhow::Result<u64> {
        check_key(group)?;
        let name = short(group);
        let mut swept = 0;
        for place in self.places(|place| place.group == name)? {
            swept += u64::from(self.end(&place.key(), |state| state.group == group)?);
        }
        Ok(swept)
    }

    async fn counts(&self) -> anyhow::Result<Vec<(String, u64)>> {
        let mut counts = BTreeMap::new();
        for key in self.cells.store.keys()? {
            if key.starts_with(PREFIX)
                && let Some(place) = Place::read(&key)
            {
                *counts.entry(place.queue).or_insert(0) += 1;
            }
        }
        Ok(counts.into_iter().collect())
    }
}
