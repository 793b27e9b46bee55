//! The body of a message: a `CloudEvents` 1.0 event in JSON.
//!
//! Anyone may have written to a queue, so what is read is bounded and checked before it is used.

use anyhow::{Context, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{invocation::Invocation, trace::Traceparent};
use crate::{
    contract::{Stage, StageMessage},
    store::{MAX_BODY, Message},
};

/// A number above it is no unit, attempt or replay of ours.
const MOST: u32 = 1_000_000;

const SOURCE: &str = "septet";

/// The attributes that we write. Others that a broker adds are ignored, as the standard asks.
#[derive(Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Event<T> {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    time: String,
    datacontenttype: String,
    /// The extension for distributed tracing: <https://www.w3.org/TR/trace-context/>.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<T>,
    /// Bytes that are no JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
    /// Our own extension: the group of the message, so that a queue that keeps no more than the
    /// body of a message can tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
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

    /// The message; its id is the same whoever sends it. `parent` is the span that it is sent from.
    pub(super) fn message(
        &self,
        time: &str,
        parent: Option<Traceparent>,
    ) -> anyhow::Result<Message> {
        let what = format!("ask/{}/{}", self.epoch, self.attempt);
        let invocation = self.invocation();
        let id = invocation.message_id(&what);
        let group = group(&self.run, self.epoch);
        let event = Event {
            data: Some(self),
            group: Some(group.clone()),
            ..event(&id, "septet.invocation", time, parent)
        };
        Ok(Message::new(id, serde_json::to_vec(&event)?).in_group(group))
    }

    /// The span that a message was sent from, where it says so.
    pub(super) fn parent(body: &[u8]) -> Option<Traceparent> {
        #[derive(Deserialize)]
        struct Traced {
            traceparent: Option<String>,
        }
        // Nothing of a body is looked at that is longer than a message can be.
        let body = (body.len() <= MAX_BODY).then_some(body)?;
        let traced: Traced = serde_json::from_slice(body).ok()?;
        Traceparent::parse(&traced.traceparent?)
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

/// The group of the messages that ask for work of a run, since its replay with this number.
pub(super) fn group(run: &str, epoch: u32) -> String {
    format!("{run}/{epoch}")
}

/// Puts `data` into an event.
pub(super) fn encode<T: Serialize>(
    id: &str,
    kind: &str,
    time: &str,
    traceparent: Option<Traceparent>,
    data: &T,
) -> anyhow::Result<Message> {
    let event = Event {
        data: Some(data),
        ..event(id, kind, time, traceparent)
    };
    Ok(Message::new(id, serde_json::to_vec(&event)?))
}

fn event<T>(id: &str, kind: &str, time: &str, traceparent: Option<Traceparent>) -> Event<T> {
    Event {
        specversion: "1.0".to_owned(),
        id: id.to_owned(),
        source: SOURCE.to_owned(),
        kind: kind.to_owned(),
        time: time.to_owned(),
        datacontenttype: "application/json".to_owned(),
        traceparent: traceparent.map(|parent| parent.to_string()),
        group: None,
        data: None,
        data_base64: None,
    }
}

/// Puts a stage's own message into an event: as JSON where it is some, else as bytes; what is
/// claimed is named.
pub(super) fn encode_own(
    id: &str,
    time: &str,
    parent: Traceparent,
    message: &StageMessage,
) -> anyhow::Result<Message> {
    let traceparent = Some(parent);
    if let Some(claim) = &message.claim {
        return encode(id, "septet.claim", time, traceparent, claim);
    }
    let mut event = event(id, "septet.message", time, traceparent);
    // As it was said: read and written again, it might be longer than a queue takes.
    event.data = serde_json::from_slice::<&RawValue>(&message.body).ok();
    if event.data.is_none() {
        "application/octet-stream".clone_into(&mut event.datacontenttype);
        event.data_base64 = Some(BASE64_STANDARD.encode(&message.body));
    }
    Ok(Message::new(id, serde_json::to_vec(&event)?))
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
    event.data.context("the message is no event of ours")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contract::Digest;

    fn asked() -> Asked {
        let run = "01890a5d-ac96-774b-bcce-b302099a8057";
        Asked::first(&Invocation::new(run, Stage::Train, 3), 1)
    }

    /// The example of the standard.
    fn parent() -> Traceparent {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        Traceparent::parse(parent).unwrap()
    }

    #[test]
    fn a_trace_is_carried_and_read() {
        let message = asked().message("t", Some(parent())).unwrap();
        assert_eq!(Asked::parent(&message.body), Some(parent()));
        assert_eq!(message.group, "01890a5d-ac96-774b-bcce-b302099a8057/1");
        let event: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(event["group"], message.group.as_str());
        let untraced = asked().message("t", None).unwrap();
        assert_eq!(Asked::parent(&untraced.body), None);
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"traceparent":7}"#,
            r#"{"traceparent":"00"}"#,
        ] {
            assert_eq!(Asked::parent(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_stages_own_message_is_an_event_too() {
        let event = |body: &[u8], claim| {
            let label = "alerts".to_owned();
            let body = body.to_vec();
            let own = StageMessage { label, body, claim };
            let message = encode_own("id", "t", parent(), &own).unwrap();
            serde_json::from_slice::<serde_json::Value>(&message.body).unwrap()
        };
        assert_eq!(event(br#"{"a":1}"#, None)["data"]["a"], 1);
        let long = format!("[{}1]", "1e15,".repeat(3000));
        assert_eq!(event(long.as_bytes(), None)["data"][9], 1e15);
        assert_eq!(event(&[0, 255], None)["data_base64"], "AP8=");
        let claim = crate::contract::Claim {
            digest: Digest::of(b""),
            size: 9,
        };
        let claimed = event(b"", Some(claim));
        assert_eq!(claimed["type"], "septet.claim");
        assert_eq!(claimed["traceparent"], parent().to_string());
        assert_eq!(claimed["data"]["size"], 9);
    }

    #[test]
    fn an_event_comes_back() {
        let message = asked()
            .message("2026-01-01T00:00:00Z", Some(parent()))
            .unwrap();
        assert_eq!(Asked::decode(&message.body).unwrap(), asked());
        let json: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(json["specversion"], "1.0");
        assert_eq!(json["id"], message.id);
    }

    #[test]
    fn another_attempt_is_another_message() {
        let mut next = asked();
        next.attempt += 1;
        let ids = [asked(), next].map(|asked| asked.message("", None).unwrap().id);
        assert_ne!(ids[0], ids[1]);
        // The time is not part of the id.
        assert_eq!(asked().message("t", None).unwrap().id, ids[0]);
    }

    #[test]
    fn hostile_bodies_are_refused() {
        let good = String::from_utf8(asked().message("t", None).unwrap().body).unwrap();
        for (from, to) in [
            ("\"1.0\"", "\"2.0\""),
            ("septet.invocation", "septet.poison"),
            ("\"train\"", "\"deploy-all\""),
            ("\"run\":\"01890a5d", "\"run\":\"../../x"),
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
