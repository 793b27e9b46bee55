//! An external stage behind a queue: a `CloudEvent` goes out, and one with the outcome comes back on
//! `<stage>-outcomes`.
//!
//! Anyone may write to that queue. An outcome counts only with the identifier and the token of a call that waits;
//! everything else is set apart with its reason. Whoever of several processes takes an outcome leaves it for
//! the one that waits: as a record, which is there before the message is gone.

use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use super::{
    call::{Around, Ended, How, failed},
    command::given,
    definition::{External, Way},
    document::{Answer, MAX_EVENT},
    http,
};
use crate::{
    capability::clean,
    contract::{Blame, Call, Disposition, Stage},
    store::{Created, Mail, Store},
};

/// How long a message is ours while it is looked at.
const LEASE: Duration = Duration::from_secs(30);

/// How often an outcome is looked for: the wait doubles up to the longer one.
const POLL: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What proves that an outcome is for this call.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    token: String,
}

/// An outcome that has come, for the one that waits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Come {
    outcome: Value,
}

/// The event that comes back. What else it says is its sender's.
#[derive(Deserialize)]
struct Event {
    specversion: String,
    #[serde(default)]
    data: Value,
    #[serde(default)]
    data_base64: Option<String>,
}

#[derive(Deserialize)]
struct Data {
    reply: Reply,
    outcome: Value,
}

#[derive(Deserialize)]
struct Reply {
    id: String,
    token: String,
}

/// Asks through the queue, and waits.
pub(super) async fn run(
    external: &External,
    call: &Call,
    around: &Around<'_>,
) -> anyhow::Result<Ended> {
    let Way::Queue { queue } = external.way() else {
        anyhow::bail!("it is no queue");
    };
    let store = around
        .externals
        .store()
        .context("external.queue needs a store")?;
    let id = around.id(call);
    let inputs = given(call);
    let visit = around
        .externals
        .door()
        .visit(inputs.clone(), around.blobs, around.limits)
        .await?;
    let token = wait_for(store, &id).await?;
    let mut data = http::asked(call, inputs, &visit)?;
    if let Some(data) = data.as_object_mut() {
        data.insert("reply".to_owned(), json!({ "id": id, "token": token }));
    }
    let event = json!({
        "specversion": "1.0",
        "id": id,
        "source": "septet",
        "type": "septet.invocation",
        "datacontenttype": "application/json",
        "subject": call.stage.name(),
        "data": data,
    })
    .to_string();
    if event.len() as u64 > MAX_EVENT {
        let why = format!(
            "its invocation has {} bytes, and a queue's message at most {MAX_EVENT}: give it fewer parameters",
            event.len()
        );
        return Ok(Ended::not(failed(around.limits, why)));
    }
    store.queues.post(queue, &id, &event).await?;
    let deadline = around.pulse.deadline();
    let how = tokio::select! {
        biased;
        answer = outcome(store, call.stage, &id) => how(&answer?, around),
        reason = around.pulse.control().wait_for_stop() => How::Not(Disposition::Failed {
            reason: format!("the call was stopped: {}", clean(&reason, 200)),
            blame: Blame::Host,
        }),
        () = tokio::time::sleep_until(deadline.into()) => {
            let why = format!("no outcome came to {}: {}", queue_of(call.stage), around.pulse.overdue());
            How::Not(failed(around.limits, why))
        }
    };
    // What comes later is for nobody.
    for key in [waiting(&id), come(&id)] {
        store.records.delete(&key).await?;
    }
    Ok(Ended {
        how,
        visit: Some(visit),
        peak_memory_bytes: 0,
    })
}

/// The queue on which a stage's outcomes come back.
pub(super) fn queue_of(stage: Stage) -> String {
    format!("{stage}-outcomes")
}

fn waiting(id: &str) -> String {
    format!("external/{id}/waiting")
}

fn come(id: &str) -> String {
    format!("external/{id}/come")
}

/// Says that an outcome is waited for, and gives the token that it must have. After a crash the same call
/// waits with the same token: what was asked before may still be answered.
async fn wait_for(store: &Store, id: &str) -> anyhow::Result<String> {
    let mut token = [0; 32];
    getrandom::fill(&mut token).context("the system has no random numbers")?;
    let own = Waiting {
        token: hex::encode(token),
    };
    let (key, value) = (waiting(id), serde_json::to_vec(&own)?);
    let there = store.records.create(&key, &value).await?;
    let Created::Exists(there) = there else {
        return Ok(own.token);
    };
    let there: Waiting = serde_json::from_slice(&there)
        .with_context(|| format!("the record {key} can't be read"))?;
    Ok(there.token)
}

/// The outcome of this call, whoever takes it from the queue.
async fn outcome(store: &Store, stage: Stage, id: &str) -> anyhow::Result<Value> {
    let queue = queue_of(stage);
    let mut wait = POLL.0;
    loop {
        if let Some(come) = store.records.get(&come(id)).await? {
            let come: Come = serde_json::from_slice(&come)
                .with_context(|| format!("the outcome of {id} can't be read"))?;
            return Ok(come.outcome);
        }
        let Some(mail) = store.queues.fetch(&queue, LEASE).await? else {
            tokio::time::sleep(wait).await;
            wait = (2 * wait).min(POLL.1);
            continue;
        };
        if let Err(why) = keep(store, &mail).await? {
            set_apart(store, &queue, &mail, &why).await?;
        }
        store.queues.discard(&mail).await?;
        wait = POLL.0;
    }
}

/// Leaves an outcome for the call that waits for it; the error says in a line why it is for none.
async fn keep(store: &Store, mail: &Mail) -> anyhow::Result<Result<(), String>> {
    let data = match read(&mail.text) {
        Ok(data) => data,
        Err(why) => return Ok(Err(why)),
    };
    let Data { reply, outcome } = data;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'/');
    if reply.id.len() > 200 || !reply.id.bytes().all(plain) || reply.id.contains("//") {
        return Ok(Err("its reply.id is none of ours".to_owned()));
    }
    let record = match crate::store::check_key(&waiting(&reply.id)) {
        Ok(()) => store.records.get(&waiting(&reply.id)).await?,
        Err(_) => None,
    };
    let Some(record) = record else {
        return Ok(Err("no call waits for it".to_owned()));
    };
    let there: Waiting = serde_json::from_slice(&record)?;
    if !bool::from(there.token.as_bytes().ct_eq(reply.token.as_bytes())) {
        return Ok(Err("its token is not the call's".to_owned()));
    }
    let value = serde_json::to_vec(&Come { outcome })?;
    // The first one counts.
    store.records.create(&come(&reply.id), &value).await?;
    Ok(Ok(()))
}

fn read(text: &str) -> Result<Data, String> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let wrong = |error: serde_json::Error| format!("it is no event with an outcome: {error}");
    if text.len() as u64 > MAX_EVENT {
        return Err(format!("it has more than {MAX_EVENT} bytes"));
    }
    let event: Event = serde_json::from_str(text).map_err(wrong)?;
    if event.specversion != "1.0" {
        return Err("it is no CloudEvent of version 1.0".to_owned());
    }
    match event.data_base64 {
        None => serde_json::from_value(event.data).map_err(wrong),
        Some(encoded) => {
            let bytes = STANDARD.decode(encoded);
            let bytes = bytes.map_err(|_| "its data_base64 is no base64".to_owned())?;
            serde_json::from_slice(&bytes).map_err(wrong)
        }
    }
}

/// Puts what is for nobody where a person finds it.
async fn set_apart(store: &Store, queue: &str, mail: &Mail, why: &str) -> anyhow::Result<()> {
    let why = clean(why, 400);
    tracing::warn!("a message in {queue} was set apart: {why}");
    let id = &mail.receipt.message.id;
    let text: String = mail.text.chars().take(8000).collect();
    let apart = json!({ "reason": why, "message": clean(&text, 16_000) }).to_string();
    store
        .queues
        .post(&format!("{queue}-poison"), id, &apart)
        .await
}

fn how(outcome: &Value, around: &Around<'_>) -> How {
    let limits = around.limits;
    let answer = Answer::read(outcome.to_string().as_bytes());
    let reason = |answer: &Answer| {
        clean(
            answer.reason().unwrap_or("it said nothing"),
            limits.text_bytes,
        )
    };
    match answer {
        Err(why) => How::Not(failed(limits, why)),
        Ok(answer) if answer.rejected.is_some() => How::Not(Disposition::Rejected {
            reason: reason(&answer),
        }),
        Ok(answer) => match &answer.retry {
            Some(delay) => How::Not(Disposition::Retry {
                after: delay.milliseconds.min(limits.retry_seconds * 1000),
                reason: reason(&answer),
            }),
            None if answer.failed.is_some() => How::Not(failed(limits, reason(&answer))),
            None => How::Done(Box::new(answer), None),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory;

    fn event(id: &str, token: &str) -> String {
        json!({
            "specversion": "1.0", "id": "1", "source": "x", "type": "y",
            "data": { "reply": { "id": id, "token": token }, "outcome": { "notes": ["a"] } },
        })
        .to_string()
    }

    #[tokio::test]
    async fn only_what_has_the_token_is_an_outcome_and_the_rest_is_set_apart() {
        let store = memory();
        let queue = queue_of(Stage::Train);
        let token = wait_for(&store, "run/train/0/1").await.unwrap();
        assert_eq!(wait_for(&store, "run/train/0/1").await.unwrap(), token);
        let forged = [
            "rubbish".to_owned(),
            "{}".to_owned(),
            json!({"specversion": "0.3", "data": {}}).to_string(),
            event("run/train/0/1", "wrong"),
            event("run/train/0/1", &token.to_uppercase()),
            event("run/train/0/2", &token),
            event("../train", &token),
            event(&"x".repeat(5000), &token),
            "x".repeat(60_000),
        ];
        for (at, text) in forged.iter().enumerate() {
            let id = format!("m{at}");
            if text.len() as u64 > MAX_EVENT {
                assert!(store.queues.post(&queue, &id, text).await.is_err());
                continue;
            }
            store.queues.post(&queue, &id, text).await.unwrap();
        }
        let good = event("run/train/0/1", &token);
        store.queues.post(&queue, "good", &good).await.unwrap();
        let come = outcome(&store, Stage::Train, "run/train/0/1")
            .await
            .unwrap();
        assert_eq!(come["notes"][0], "a");
        let counts = store.queues.counts().await.unwrap();
        let apart = forged.len() as u64 - 1;
        assert_eq!(counts, [(format!("{queue}-poison"), apart)]);
    }
}
