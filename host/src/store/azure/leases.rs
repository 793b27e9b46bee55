//! Leases on cards: how one comes to have a message, keeps it and ends it.

use std::time::Duration;

use uuid::Uuid;

use super::{
    card::{self, Card, State},
    queues::AzureQueues,
    receipt::Receipt,
    tickets::Ticket,
    wire::Address,
};
use crate::store::{Message, Received};

/// How often others may be faster at one card before a call fails.
const ROUNDS: usize = 16;

impl AzureQueues {
    /// Takes a lease for who has drawn `ticket`; none where there is nothing to be done.
    pub(super) async fn lease(
        &self,
        queue: &str,
        address: &Address,
        ticket: &Ticket,
        (lease, adopted): (Duration, bool),
    ) -> anyhow::Result<Lease> {
        let path = card::path(&address.group, queue, &address.id);
        for _ in 0..ROUNDS {
            let Some(card) = self.cards.read(&path).await? else {
                return Ok(Lease::Gone);
            };
            let now = self.account.now();
            // A lease that came by this very message has ended, since the service gave it out again.
            if card.state.until > now && card.state.ticket != ticket.id {
                return Ok(Lease::Busy(Duration::from_millis(card.state.until - now)));
            }
            let state = State {
                at: card.state.at,
                sent: true,
                due: card.state.due,
                again: 0,
                count: card.state.count.saturating_add(1),
                until: self.until(lease),
                lease: Uuid::now_v7().to_string(),
                adopted,
                ticket: ticket.id.clone(),
                pop: ticket.pop.clone(),
            };
            if let Some(version) = self.cards.write(&path, &state, &card.version).await? {
                return Ok(Lease::Taken(Received {
                    queue: queue.to_owned(),
                    message: card.message,
                    dequeue_count: state.count,
                    receipt: Receipt::Card {
                        lease: state.lease,
                        version,
                        ticket: state.ticket,
                        pop: state.pop,
                        adopted,
                    }
                    .to_string(),
                }));
            }
        }
        anyhow::bail!("a message of the queue {queue} is received by others again and again")
    }

    /// The card that `received` holds the lease of; none where it is lost.
    pub(super) async fn held(&self, received: &Received) -> anyhow::Result<Option<Card>> {
        let Receipt::Card { lease, .. } = Receipt::read(&received.receipt)? else {
            return Ok(None);
        };
        let message = &received.message;
        let path = card::path(&message.group, &received.queue, &message.id);
        let card = self.cards.read(&path).await?;
        Ok(card.filter(|card| card.state.lease == lease))
    }

    /// Deletes the card if `received` has the lease: first as it was received, and if the lease was
    /// renewed since, as it is now.
    pub(super) async fn finish(
        &self,
        received: &Received,
    ) -> anyhow::Result<Option<(String, String, bool)>> {
        let Receipt::Card {
            version,
            ticket,
            pop,
            adopted,
            ..
        } = Receipt::read(&received.receipt)?
        else {
            return Ok(None);
        };
        let message = &received.message;
        let path = card::path(&message.group, &received.queue, &message.id);
        if self.cards.delete(&path, Some(&version)).await? {
            return Ok(Some((ticket, pop, adopted)));
        }
        for _ in 0..ROUNDS {
            let Some(card) = self.held(received).await? else {
                return Ok(None);
            };
            if self.cards.delete(&path, Some(&card.version)).await? {
                let State { ticket, pop, .. } = card.state;
                return Ok(Some((ticket, pop, adopted)));
            }
        }
        anyhow::bail!(
            "the lease of a message of {} changes too fast",
            received.queue
        )
    }
}

/// What came of the wish to have a message.
pub(super) enum Lease {
    Taken(Received),
    /// Its card is gone.
    Gone,
    /// Another has it for so long.
    Busy(Duration),
}

/// A message that has no card, as it is.
pub(super) fn foreign(queue: &str, body: Vec<u8>, ticket: Ticket, adopted: bool) -> Received {
    Received {
        queue: queue.to_owned(),
        message: Message::new(ticket.id.clone(), body),
        dequeue_count: ticket.count,
        receipt: Receipt::Foreign {
            ticket: ticket.id,
            pop: ticket.pop,
            adopted,
        }
        .to_string(),
    }
}
