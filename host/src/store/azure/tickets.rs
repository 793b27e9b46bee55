//! Messages in the service's queues. Of a message of ours it is a ticket alone: who has drawn one
//! looks at the card.

use std::time::Duration;

use anyhow::Context as _;
use azure_core::http::headers::HeaderName;
use azure_storage_queue::{
    QueueClient,
    models::{QueueClientReceiveMessagesOptions, QueueClientSendMessageOptions, QueueMessage},
};

use super::{
    account::Account,
    trouble::{Place, code, is_missing},
    wire::service_name,
};

/// The longest that the service hides a message, in seconds.
const WEEK: u64 = 7 * 24 * 60 * 60;

const POP_RECEIPT: HeaderName = HeaderName::from_static("x-ms-popreceipt");

/// A message of the service, hidden for a while.
pub(super) struct Ticket {
    pub(super) id: String,
    pub(super) pop: String,
    pub(super) text: String,
    pub(super) count: u32,
}

/// A queue of the service.
pub(super) struct Tickets {
    client: QueueClient,
    place: Place,
}

/// Whole seconds: never less than was asked for.
fn seconds(time: Duration) -> i32 {
    let up = u64::from(time.subsec_nanos() > 0);
    let seconds = time.as_secs().saturating_add(up).min(WEEK);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

impl Tickets {
    /// The tickets of a queue, under the name that the service has for it.
    pub(super) fn new(account: &Account, queue: &str) -> anyhow::Result<Self> {
        let (client, place) = account.queue(&service_name(queue))?;
        Ok(Self { client, place })
    }

    /// Puts a message that can be received after `delay`; its id and the key to it. The queue is
    /// made where it is missing.
    pub(super) async fn put(
        &self,
        text: &str,
        delay: Duration,
    ) -> anyhow::Result<(String, String)> {
        let explain = |error| self.place.explain(&error);
        let mut made = false;
        loop {
            let message = QueueMessage {
                message_text: Some(text.to_owned()),
            };
            let options = QueueClientSendMessageOptions {
                // It stays until it is done.
                message_time_to_live: Some(-1),
                visibility_timeout: Some(seconds(delay)).filter(|&delay| delay > 0),
                ..QueueClientSendMessageOptions::default()
            };
            let message = message.try_into().map_err(explain)?;
            match self.client.send_message(message, Some(options)).await {
                Ok(sent) => {
                    let sent = sent.into_model().map_err(explain)?;
                    let sent = sent.items.unwrap_or_default().into_iter().next();
                    let sent = sent.and_then(|sent| Some((sent.message_id?, sent.pop_receipt?)));
                    return sent.context("the queue service did not say what it took");
                }
                Err(error) if !made && is_missing(&error) => {
                    match self.client.create(None).await {
                        Ok(_) => {}
                        Err(error) if code(&error) == Some("QueueAlreadyExists") => {}
                        Err(error) => return Err(explain(error)),
                    }
                    made = true;
                }
                Err(error) => return Err(explain(error)),
            }
        }
    }

    /// The next message, hidden from others for the time of `lease`.
    pub(super) async fn take(&self, lease: Duration) -> anyhow::Result<Option<Ticket>> {
        let options = QueueClientReceiveMessagesOptions {
            number_of_messages: Some(1),
            visibility_timeout: Some(seconds(lease).max(1)),
            ..QueueClientReceiveMessagesOptions::default()
        };
        let received = match self.client.receive_messages(Some(options)).await {
            Ok(received) => received.into_model(),
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(self.place.explain(&error)),
        };
        let received = received.map_err(|error| self.place.explain(&error))?;
        let first = received.items.unwrap_or_default().into_iter().next();
        Ok(first.and_then(|first| {
            Some(Ticket {
                id: first.message_id?,
                pop: first.pop_receipt?,
                text: first.message_text.unwrap_or_default(),
                count: first.dequeue_count?.try_into().unwrap_or(u32::MAX),
            })
        }))
    }

    /// Hides a message for so long from now, and gives the new key to it; none where the key is not
    /// good any more.
    pub(super) async fn hide(
        &self,
        id: &str,
        pop: &str,
        time: Duration,
    ) -> anyhow::Result<Option<String>> {
        match self
            .client
            .update_message(id, pop, seconds(time), None)
            .await
        {
            Ok(done) => {
                let pop = done.headers().get_optional_str(&POP_RECEIPT);
                Ok(Some(pop.unwrap_or_default().to_owned()))
            }
            Err(error) if is_lost(&error) => Ok(None),
            Err(error) => Err(self.place.explain(&error)),
        }
    }

    /// Deletes a message; false where the key is not good any more.
    pub(super) async fn delete(&self, id: &str, pop: &str) -> anyhow::Result<bool> {
        match self.client.delete_message(id, pop, None).await {
            Ok(_) => Ok(true),
            Err(error) if is_lost(&error) => Ok(false),
            Err(error) => Err(self.place.explain(&error)),
        }
    }
}

/// Whether somebody else has received the message meanwhile, or deleted it.
fn is_lost(error: &azure_core::Error) -> bool {
    is_missing(error) || code(error) == Some("PopReceiptMismatch")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_never_shortened_and_has_a_bound() {
        for (time, whole) in [
            (Duration::ZERO, 0),
            (Duration::from_millis(1), 1),
            (Duration::from_mins(1), 60),
            (Duration::from_millis(60_001), 61),
            (Duration::MAX, 604_800),
        ] {
            assert_eq!(seconds(time), whole);
        }
    }
}
