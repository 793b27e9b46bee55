//! A message in the store: its key, and what lies under it.
//!
//! Each sending has a key of its own, which is never used again once it is gone. So it may be deleted
//! once its end is written, and what is read under it is swapped as it was seen: nothing here begins
//! where there is nothing, and so a swap is a real comparison on every kind of store.

use anyhow::{Context as _, ensure};
use septet_core::{
    contract::Digest,
    store::{MAX_BODY, MAX_KEY, Message},
};
use serde::{Deserialize, Serialize};

use crate::Id;

/// Messages' keys begin so.
pub(crate) const PREFIX: &str = "m:";

/// What a key tells, so that nothing has to be read to know which messages are worth reading. It
/// sorts by when it was due at first, and then as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// When it may first be received: milliseconds since 1970.
    pub(crate) due: u64,
    /// When it was sent.
    pub(crate) at: u64,
    /// Orders what one instance sends in one millisecond.
    pub(crate) number: u64,
    pub(crate) queue: String,
    /// The beginnings of two digests, by which messages are looked for.
    pub(crate) id: String,
    pub(crate) group: String,
    /// What makes the key its own.
    pub(crate) unique: String,
}

impl Place {
    pub(crate) fn new(queue: &str, message: &Message, (due, at): (u64, u64), number: u64) -> Self {
        Self {
            due,
            at,
            number,
            queue: queue.to_owned(),
            id: short(&message.id),
            group: short(&message.group),
            unique: Id::fresh().to_string(),
        }
    }

    pub(crate) fn key(&self) -> String {
        let Self {
            due,
            at,
            number,
            queue,
            id,
            group,
            unique,
        } = self;
        format!("{PREFIX}{queue}:{due:x}:{at:x}:{number:x}:{id}:{group}:{unique}")
    }

    /// What a key tells; none where it is no message's.
    pub(crate) fn read(key: &str) -> Option<Self> {
        let mut parts = key.strip_prefix(PREFIX)?.split(':');
        let mut part = || parts.next();
        let queue = part()?.to_owned();
        let mut number = || u64::from_str_radix(part()?, 16).ok();
        let (due, at, number) = (number()?, number()?, number()?);
        let (id, group) = (part()?.to_owned(), part()?.to_owned());
        let unique = part()?.to_owned();
        parts.next().is_none().then_some(Self {
            due,
            at,
            number,
            queue,
            id,
            group,
            unique,
        })
    }

    /// Its place in the order in which messages were sent.
    pub(crate) const fn sent(&self) -> (u64, u64) {
        (self.at, self.number)
    }
}

/// The beginning of a text's digest: keys are not to be longer than they must.
pub(crate) fn short(text: &str) -> String {
    Digest::of(text.as_bytes())
        .to_string()
        .chars()
        .take(20)
        .collect()
}

/// How it stands with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct State {
    pub(crate) id: String,
    pub(crate) group: String,
    /// From when it can be received (again): milliseconds since 1970.
    pub(crate) visible_at: u64,
    /// When this was written.
    pub(crate) since: u64,
    /// How many times it was received.
    pub(crate) count: u32,
    /// Who has it, as long as nobody else received it.
    pub(crate) receipt: String,
    /// It was dealt with or taken away: there is none, whoever had the lease.
    pub(crate) gone: bool,
    /// Another with every change, so that who has made it is known.
    pub(crate) mark: String,
}

/// A message as it lies in the store: a line of JSON, then the body as it is.
#[derive(Clone)]
pub(crate) struct Card {
    pub(crate) state: State,
    pub(crate) body: Vec<u8>,
}

impl Card {
    pub(crate) fn write(&mut self) -> anyhow::Result<Vec<u8>> {
        self.state.mark = Id::fresh().to_string();
        let mut bytes = serde_json::to_vec(&self.state)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        Ok(bytes)
    }

    /// A card as it was written, within its bounds: the store is not trusted with memory.
    pub(crate) fn read(key: &str, bytes: &[u8]) -> anyhow::Result<Self> {
        let damaged = || format!("the message under {key} in the key-value store is damaged");
        let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
        let line = parts.next().unwrap_or_default();
        let body = parts.next().with_context(damaged)?.to_vec();
        let state: State = serde_json::from_slice(line).with_context(damaged)?;
        let fits = state.id.len() <= MAX_KEY && state.group.len() <= MAX_KEY;
        ensure!(fits && body.len() <= MAX_BODY, damaged());
        Ok(Self { state, body })
    }

    pub(crate) fn message(self) -> Message {
        Message {
            id: self.state.id,
            body: self.body,
            group: self.state.group,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_what_it_was_made_of() {
        let message = Message::new("id: 1/ä", "x").in_group("run/1");
        let place = Place::new("train-poison", &message, (20, 10), 3);
        let key = place.key();
        assert_eq!(Place::read(&key), Some(place));
        assert!(key.len() < 255 && !key.contains(['/', '\\', '?', '#', '\'']));
        for other in [
            "m:",
            "m:q:1:2:3:a:b",
            "m:q:1:2:z:a:b:c",
            "r:a",
            "m:q:1:2:3:a:b:c:d",
        ] {
            assert_eq!(Place::read(other), None, "{other}");
        }
    }

    #[test]
    fn a_card_is_read_as_it_was_written_and_no_other_is() {
        let state = State {
            id: "a\nb".to_owned(),
            group: String::new(),
            visible_at: 1,
            since: 2,
            count: 3,
            receipt: String::new(),
            gone: false,
            mark: String::new(),
        };
        let mut card = Card {
            state,
            body: b"1\n2".to_vec(),
        };
        let bytes = card.write().unwrap();
        let read = Card::read("m:", &bytes).unwrap();
        assert_eq!((read.state, read.body), (card.state, card.body));
        let mut long = bytes.clone();
        long.extend(vec![0; MAX_BODY]);
        for bytes in [&b""[..], b"{}\n", &bytes[..9], &long] {
            assert!(Card::read("m:", bytes).is_err());
        }
    }
}
