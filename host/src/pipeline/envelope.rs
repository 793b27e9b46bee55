//! The body of a message: a `CloudEvents` 1.0 event in JSON.
//!
//! Anyone may have written to a queue, so what is read is bounded and checked before it is used.

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::invocation::Invocation;
use crate::{
    contract::Stage,
    store::{MAX_BODY, Message},
};

/// A number above it is no unit, attempt or replay of ours.
const MOST: u32 = 1_000_000;

const SOURCE: &str = "septet";

/// The attributes that we write. Others that a broker adds are ignored, as the standard asks.
#[derive(Serialize, Deserialize)]
struct Event<T> {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    time: String,
    datacontenttype: String,
    data: T,
}

/// What a message on a stage's queue asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The run.
    pub run: String,
    /// The stage.
    pub stage: Stage,
    /// Which of the stage's calls.
    pub unit: u32,
    /// From 1.
    pub attempt: u32,
    /// How many of the attempts before were faults.
    #[serde(default)]
    pub failures: u32,
    /// How many final failures came before.
    #[serde(default)]
    pub replay: u32,
    /// How many replays the run has had: a message from before one is not the same message.
    #[serde(default)]
    pub epoch: u32,
}

impl Asked {
    /// Asks for the first attempt.
    pub(super) fn first(invocation: &Invocation, epoch: u32) -> Self {
        Self {
            run: invocation.run.clone(),
            stage: invocation.stage,
            unit: invocation.unit,
            attempt: 1,
            failures: 0,
            replay: invocation.replay,
            epoch,
        }
    }

    /// Which invocation it asks for.
    pub fn invocation(&self) -> Invocation {
        Invocation {
            run: self.run.clone(),
            stage: self.stage,
            unit: self.unit,
            replay: self.replay,
        }
    }

    /// The message; its id is the same whoever sends it.
    pub(super) fn message(&self, time: &str) -> anyhow::Result<Message> {
        let what = format!("ask/{}/{}", self.epoch, self.attempt);
        let id = self.invocation().message_id(&what);
        encode(&id, "septet.invocation", time, self)
    }

    /// Reads the body of a message.
    pub fn decode(body: &[u8]) -> anyhow::Result<Self> {
        let asked: Self = decode(body, "septet.invocation")?;
        let run = Uuid::try_parse(&asked.run).is_ok_and(|run| run.to_string() == asked.run);
        ensure!(run, "the message names no run");
        let numbers = [
            asked.unit,
            asked.attempt,
            asked.failures,
            asked.replay,
            asked.epoch,
        ];
        let numbers = numbers.iter().all(|&number| number <= MOST);
        ensure!(numbers && asked.attempt > 0, "the message counts wrongly");
        Ok(asked)
    }
}

/// Puts `data` into an event.
pub(super) fn encode<T: Serialize>(
    id: &str,
    kind: &str,
    time: &str,
    data: &T,
) -> anyhow::Result<Message> {
    let event = Event {
        specversion: "1.0".to_owned(),
        id: id.to_owned(),
        source: SOURCE.to_owned(),
        kind: kind.to_owned(),
        time: time.to_owned(),
        datacontenttype: "application/json".to_owned(),
        data,
    };
    Ok(Message {
        id: id.to_owned(),
        body: serde_json::to_vec(&event)?,
    })
}

/// Takes the data of an event of this kind.
pub(super) fn decode<T: DeserializeOwned>(body: &[u8], kind: &str) -> anyhow::Result<T> {
    ensure!(
        body.len() <= MAX_BODY,
        "the message has {} bytes, more than {MAX_BODY}",
        body.len()
    );
    let event: Event<T> =
        serde_json::from_slice(body).context("the message is no event of ours")?;
    ensure!(
        event.specversion == "1.0" && event.source == SOURCE,
        "the message is no event of ours"
    );
    ensure!(
        event.kind == kind,
        "the message is a '{}', not a '{kind}'",
        event
            .kind
            .chars()
            .take(40)
            .collect::<String>()
            .escape_debug()
    );
    Ok(event.data)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked() -> Asked {
        let run = "01890a5d-ac96-774b-bcce-b302099a8057";
        Asked::first(&Invocation::new(run, Stage::Train, 3), 1)
    }

    #[test]
    fn an_event_comes_back() {
        let message = asked().message("2026-01-01T00:00:00Z").unwrap();
        assert_eq!(Asked::decode(&message.body).unwrap(), asked());
        let json: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(json["specversion"], "1.0");
        assert_eq!(json["id"], message.id);
    }

    #[test]
    fn another_attempt_is_another_message() {
        let mut next = asked();
        next.attempt += 1;
        let ids = [asked(), next].map(|asked| asked.message("").unwrap().id);
        assert_ne!(ids[0], ids[1]);
        // The time is not part of the id.
        assert_eq!(asked().message("t").unwrap().id, ids[0]);
    }

    #[test]
    fn hostile_bodies_are_refused() {
        let good = String::from_utf8(asked().message("t").unwrap().body).unwrap();
        for (from, to) in [
            ("\"1.0\"", "\"2.0\""),
            ("septet.invocation", "septet.poison"),
            ("\"train\"", "\"deploy-all\""),
            ("01890a5d", "../../x"),
            ("\"attempt\":1", "\"attempt\":0"),
            ("\"unit\":3", "\"unit\":-1"),
            ("\"unit\":3", "\"unit\":4000000000"),
            ("\"unit\":3", "\"unit\":3,\"extra\":1"),
            ("\"source\":\"septet\"", "\"source\":\"other\""),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert!(Asked::decode(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Asked::decode(&vec![b' '; MAX_BODY + 1]).is_err());
        assert!(Asked::decode("[".repeat(40_000).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Asked::decode(&bytes);
        }
    }
}
