//! `septet queues peek`: what the messages of a queue say, by the kind of the queue.

use septet::{
    contract::Stage,
    pipeline::{Asked, Pipeline, Poisoned, trace_of},
    store::Message,
};
use serde_json::{Value, json};

use super::{output, session::Origin};

/// How much of a message of somebody else's is shown in a table, in characters.
const SHOWN: usize = 120;

const ASKED: [&str; 7] = ["id", "run", "stage", "unit", "attempt", "trace", "body"];

const SET_ASIDE: [&str; 10] = [
    "id", "when", "attempt", "blame", "run", "stage", "unit", "reason", "body", "claim",
];

/// The stage of a poison queue.
pub(crate) fn poison_of(queue: &str) -> Option<Stage> {
    queue.strip_suffix("-poison")?.parse().ok()
}

/// Shows the oldest messages of a queue.
pub(crate) async fn peek(
    origin: &Origin,
    pipeline: &Pipeline,
    queue: &str,
    limit: usize,
) -> anyhow::Result<()> {
    let (header, messages): (&[&str], Vec<Value>) = if let Some(stage) = poison_of(queue) {
        let all = pipeline.poisoned(stage, limit).await?;
        let messages = all.iter().map(|(id, poisoned)| set_aside(id, poisoned));
        (&SET_ASIDE, messages.collect())
    } else {
        let all = pipeline.store().queues.peek(queue, limit).await?;
        if queue.parse::<Stage>().is_ok() {
            (&ASKED, all.iter().map(asked).collect())
        } else {
            (&["id", "body"], all.iter().map(other).collect())
        }
    };
    if origin.global.json {
        return output::json(&json!({ "queue": queue, "messages": messages }));
    }
    if messages.is_empty() {
        return output::text_line(&format!("the queue {queue} is empty"));
    }
    output::text_line(&table(header, &messages))
}

/// A table of the columns that any of the messages has something in.
fn table(header: &[&str], messages: &[Value]) -> String {
    let said = |key: &&&str| {
        let mut values = messages.iter().filter_map(|message| message.get(**key));
        values.any(|value| !value.is_null())
    };
    let header: Vec<&str> = header.iter().filter(said).copied().collect();
    let rows = messages.iter().map(|message| {
        let cells = header.iter().map(|key| match message.get(key) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => clipped(text),
            Some(other) => clipped(&other.to_string()),
        });
        cells.collect()
    });
    output::table(&header, &[], rows.collect())
}

fn clipped(text: &str) -> String {
    if text.chars().count() <= 4 * SHOWN {
        return text.replace('\n', " ");
    }
    let beginning: String = text.chars().take(SHOWN).collect();
    format!("{}…", beginning.replace('\n', " "))
}

/// What came to nothing. Of a message that was somebody else's its beginning is kept, and where all
/// of it is.
fn set_aside(id: &str, poisoned: &Poisoned) -> Value {
    let invocation = poisoned.invocation.as_ref();
    let body = String::from_utf8_lossy(&poisoned.body);
    json!({
        "id": id,
        "run": invocation.map(|invocation| &invocation.run),
        "stage": invocation.map(|invocation| invocation.stage),
        "unit": invocation.map(|invocation| invocation.unit),
        "when": poisoned.when,
        "attempt": poisoned.attempt,
        "reason": poisoned.reason,
        "blame": poisoned.blame,
        "body": (!body.is_empty()).then_some(body),
        "claim": poisoned.claim.map(|claim| claim.digest),
    })
}

/// What waits for a stage.
fn asked(message: &Message) -> Value {
    let Ok(asked) = Asked::decode(&message.body) else {
        return other(message);
    };
    let event: Value = serde_json::from_slice(&message.body).unwrap_or_default();
    let parent = event.get("traceparent").and_then(Value::as_str);
    json!({
        "id": message.id,
        "run": asked.run,
        "stage": asked.stage,
        "unit": asked.unit,
        "attempt": asked.attempt,
        "trace": parent.and_then(trace_of),
    })
}

fn other(message: &Message) -> Value {
    let body = serde_json::from_slice(&message.body)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&message.body)));
    json!({ "id": message.id, "body": body })
}
