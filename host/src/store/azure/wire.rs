//! What a message is in a service's queue: base64 of an event that says its id and group.
//!
//! Anyone may have written to a queue. So what is read here is an address alone, bounded and checked;
//! what a message of ours says is on its card.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::store::{MAX_KEY, Message, check_key};

/// Where our events say that they are from.
const SOURCE: &str = "septet";

/// The longest text of a message that the service takes, in bytes.
const MOST: usize = 64 << 10;

/// The shortest and longest name of a queue of the service.
const NAME: std::ops::RangeInclusive<usize> = 3..=63;

/// What names of queues begin with that the service would not have as they are.
const OTHER: &str = "q-";

/// The attributes of an event that say which message it is.
#[derive(Serialize, Deserialize)]
struct Event {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    group: String,
}

/// Which message of ours it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) id: String,
    pub(super) group: String,
}

impl Address {
    /// The address in the bytes of an event; none where it is not one of ours.
    pub(super) fn of(body: &[u8]) -> Option<Self> {
        let event: Event = serde_json::from_slice(body).ok()?;
        let fits = event.specversion == "1.0"
            && event.source == SOURCE
            && (1..=MAX_KEY).contains(&event.id.len())
            && (event.group.is_empty() || check_key(&event.group).is_ok());
        let Event { id, group, .. } = event;
        fits.then_some(Self { id, group })
    }
}

/// The text of a message: its body where that is an event that says which message it is and fits,
/// else an event that says that alone.
pub(super) fn encode(message: &Message) -> anyhow::Result<String> {
    let own = Address {
        id: message.id.clone(),
        group: message.group.clone(),
    };
    if Address::of(&message.body) == Some(own) {
        let text = BASE64_STANDARD.encode(&message.body);
        if text.len() <= MOST {
            return Ok(text);
        }
    }
    let pointer = Event {
        specversion: "1.0".to_owned(),
        id: message.id.clone(),
        source: SOURCE.to_owned(),
        kind: "septet.message".to_owned(),
        group: message.group.clone(),
    };
    Ok(BASE64_STANDARD.encode(serde_json::to_vec(&pointer)?))
}

/// The bytes of a message's text; a text that is not base64 is taken as it is.
pub(super) fn decode(text: &str) -> Vec<u8> {
    let text = text.trim();
    BASE64_STANDARD
        .decode(text)
        .unwrap_or_else(|_| text.as_bytes().to_vec())
}

/// What the service calls a queue. It wants three characters at least and no two hyphens in a row.
pub(super) fn service_name(queue: &str) -> String {
    let fits = NAME.contains(&queue.len()) && !queue.contains("--") && !queue.starts_with(OTHER);
    if fits {
        return queue.to_owned();
    }
    let digest = hex::encode(Sha256::digest(queue));
    let digest: String = digest.chars().take(32).collect();
    format!("{OTHER}{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_which_it_is() {
        let event = br#"{"specversion":"1.0","id":"m","source":"septet","type":"t","group":"g/1","data":1}"#;
        let message = Message::new("m", *event).in_group("g/1");
        let text = encode(&message).unwrap();
        assert_eq!(decode(&text), event);
        for other in [
            Message::new("m", b"no event".to_vec()).in_group("g/1"),
            Message::new("n", *event).in_group("g/1"),
            Message::new("m", *event),
            Message::new("m", [&event[..], &vec![b' '; 48 << 10]].concat()).in_group("g/1"),
        ] {
            let text = encode(&other).unwrap();
            assert!(text.len() < 300);
            let (id, group) = (other.id, other.group);
            assert_eq!(Address::of(&decode(&text)), Some(Address { id, group }));
        }
    }

    #[test]
    fn what_others_wrote_is_not_ours() {
        for body in [
            "",
            "{}",
            "[[[[",
            r#"{"specversion":"1.0","id":"m","source":"other","type":"t"}"#,
            r#"{"specversion":"1.0","id":"","source":"septet","type":"t"}"#,
            r#"{"specversion":"1.0","id":"m","source":"septet","group":"../x"}"#,
        ] {
            assert_eq!(Address::of(body.as_bytes()), None, "{body}");
        }
        let long = format!(
            r#"{{"specversion":"1.0","id":"{}","source":"septet"}}"#,
            "x".repeat(600)
        );
        assert_eq!(Address::of(long.as_bytes()), None);
        assert_eq!(decode("plain text"), b"plain text");
    }

    #[test]
    fn every_queue_has_a_name_that_the_service_takes() {
        assert_eq!(service_name("train-poison"), "train-poison");
        let mut seen = std::collections::BTreeSet::new();
        for queue in ["a", "b", "a--b", "q-1", &format!("a--{}", "x".repeat(60))] {
            let name = service_name(queue);
            assert!(NAME.contains(&name.len()) && !name.contains("--"), "{name}");
            assert!(seen.insert(name));
        }
    }
}
