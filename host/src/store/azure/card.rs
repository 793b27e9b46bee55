//! A message's card: a blob that says what the message is, and how it stands with it.
//!
//! The content never changes. How it stands is in the blob's metadata, which are replaced only as
//! they were read: who replaces them first has won.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    account::{Account, MESSAGES},
    container::{Container, Metadata, Written},
};
use crate::store::{MAX_BODY, Message};

/// The largest card: a body as base64, and names.
const MOST: u64 = 2 * MAX_BODY as u64;

/// What never changes.
#[derive(Serialize, Deserialize)]
struct Content {
    id: String,
    group: String,
    queue: String,
    body: String,
}

/// How it stands with a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// When it was sent, by the service's clock, and after which others of the same sender.
    pub(super) at: String,
    /// Whether it is in the service's queue for certain.
    pub(super) sent: bool,
    /// From when on it waits to be received, in milliseconds by the service's clock.
    pub(super) due: u64,
    /// How often it was put again because nobody received it.
    pub(super) again: u32,
    /// How often it was received.
    pub(super) count: u32,
    /// Until when somebody has it, in milliseconds by the service's clock; 0 where nobody has.
    pub(super) until: u64,
    /// That somebody's proof.
    pub(super) lease: String,
    /// Whether somebody else received it from the service for them, and holds it there.
    pub(super) adopted: bool,
    /// The service's name of the message, and the key to it, as last known.
    pub(super) ticket: String,
    pub(super) pop: String,
}

/// A card as it was read.
pub(super) struct Card {
    pub(super) path: String,
    pub(super) message: Message,
    pub(super) queue: String,
    pub(super) state: State,
    pub(super) version: String,
}

impl State {
    fn metadata(&self) -> Metadata {
        let mut metadata = Metadata::from([
            ("at".to_owned(), self.at.clone()),
            ("sent".to_owned(), u8::from(self.sent).to_string()),
            ("due".to_owned(), self.due.to_string()),
            ("again".to_owned(), self.again.to_string()),
            ("count".to_owned(), self.count.to_string()),
            ("until".to_owned(), self.until.to_string()),
            ("adopted".to_owned(), u8::from(self.adopted).to_string()),
            ("lease".to_owned(), self.lease.clone()),
            ("ticket".to_owned(), self.ticket.clone()),
            ("pop".to_owned(), self.pop.clone()),
        ]);
        metadata.retain(|_, value| !value.is_empty());
        metadata
    }

    fn read(metadata: &Metadata) -> Self {
        let text = |name: &str| metadata.get(name).cloned().unwrap_or_default();
        let number = |name: &str| text(name).parse().unwrap_or_default();
        Self {
            at: text("at"),
            sent: text("sent") == "1",
            due: number("due"),
            again: u32::try_from(number("again")).unwrap_or(u32::MAX),
            count: u32::try_from(number("count")).unwrap_or(u32::MAX),
            until: number("until"),
            lease: text("lease"),
            adopted: text("adopted") == "1",
            ticket: text("ticket"),
            pop: text("pop"),
        }
    }

    /// Nobody has it.
    pub(super) fn given_back(self) -> Self {
        Self {
            until: 0,
            lease: String::new(),
            adopted: false,
            ..self
        }
    }
}

/// Where the cards of a group begin.
pub(super) fn folder(group: &str) -> String {
    let digest = hex::encode(Sha256::digest(group));
    format!("{}/", digest.chars().take(16).collect::<String>())
}

/// Where a message's card is.
pub(super) fn path(group: &str, queue: &str, id: &str) -> String {
    format!("{}{queue}/{}", folder(group), name(id))
}

/// The end of the path of a message's card.
pub(super) fn name(id: &str) -> String {
    hex::encode(Sha256::digest(id))
}

/// The queue of a card at this path; none where it is no path of a card.
pub(super) fn queue_of(path: &str) -> Option<&str> {
    let mut parts = path.split('/');
    let (_, queue, _) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some(queue)
}

/// A listed card: its path and how it stands with it.
pub(super) type Stand = (String, State);

/// All cards.
pub(super) struct Cards(Container);

impl Cards {
    pub(super) fn new(account: &Account) -> anyhow::Result<Self> {
        Ok(Self(account.container(MESSAGES)?))
    }

    /// Writes a card where there is none, and gives its version; none where there is one.
    pub(super) async fn create(
        &self,
        path: &str,
        queue: &str,
        message: &Message,
        state: &State,
    ) -> anyhow::Result<Option<String>> {
        let content = Content {
            id: message.id.clone(),
            group: message.group.clone(),
            queue: queue.to_owned(),
            body: BASE64_STANDARD.encode(&message.body),
        };
        let bytes = serde_json::to_vec(&content)?;
        let written = self.0.create(path, bytes.into(), Some(state.metadata()));
        Ok(version(written.await?))
    }

    /// The card at this path; none where there is none, or it is no card.
    pub(super) async fn read(&self, path: &str) -> anyhow::Result<Option<Card>> {
        let Some(held) = self.0.get(path, MOST).await? else {
            return Ok(None);
        };
        let content = serde_json::from_slice::<Content>(&held.bytes).ok();
        let Some((content, body)) = content.and_then(|content| {
            let body = BASE64_STANDARD.decode(&content.body).ok()?;
            Some((content, body))
        }) else {
            tracing::warn!("the card {path} of a message is damaged: the message is left out");
            return Ok(None);
        };
        Ok(Some(Card {
            path: path.to_owned(),
            message: Message {
                id: content.id,
                body,
                group: content.group,
            },
            queue: content.queue,
            state: State::read(&held.metadata),
            version: held.etag,
        }))
    }

    /// Writes how it stands, if the card is still this version; the new version, or none.
    pub(super) async fn write(
        &self,
        path: &str,
        state: &State,
        was: &str,
    ) -> anyhow::Result<Option<String>> {
        let written = self.0.set(path, &state.metadata(), Some(was)).await?;
        Ok(version(written))
    }

    /// Takes a card away, if it is still this version or whatever it is.
    pub(super) async fn delete(&self, path: &str, was: Option<&str>) -> anyhow::Result<bool> {
        self.0.delete(path, was).await
    }

    /// How it stands with all messages whose card is in this folder, the oldest first.
    pub(super) async fn list(&self, folder: &str) -> anyhow::Result<Vec<Stand>> {
        let found = self.0.list(folder, None, usize::MAX, true).await?;
        let mut stands: Vec<Stand> = found
            .into_iter()
            .filter_map(|item| {
                let values = item.metadata.and_then(|metadata| metadata.values);
                let path = item.name?;
                queue_of(&path)?;
                Some((path, State::read(&values.unwrap_or_default())))
            })
            .collect();
        stands.sort_by(|one, other| one.1.at.cmp(&other.1.at));
        Ok(stands)
    }
}

fn version(written: Written) -> Option<String> {
    match written {
        Written::Done(version) => Some(version),
        Written::Taken => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_from_metadata() {
        let state = State {
            at: "1".to_owned(),
            sent: true,
            due: 1_700_000_000_001,
            again: 2,
            count: 3,
            until: 1_700_000_000_123,
            lease: "l".to_owned(),
            adopted: true,
            ticket: "t".to_owned(),
            pop: "AgAA+/=".to_owned(),
        };
        assert_eq!(State::read(&state.metadata()), state);
        assert_eq!(State::read(&Metadata::new()), State::default());
        let back = state.given_back();
        assert_eq!(State::read(&back.metadata()), back);
        let odd = Metadata::from([("count".to_owned(), "99999999999".to_owned())]);
        assert_eq!(State::read(&odd).count, u32::MAX);
    }

    #[test]
    fn a_path_says_group_and_queue() {
        let path = path("run/1", "train", "m");
        assert!(path.starts_with(&folder("run/1")));
        assert_eq!(queue_of(&path), Some("train"));
        assert_eq!(queue_of("a/b"), None);
        assert_eq!(queue_of("a/b/c/d"), None);
    }
}
