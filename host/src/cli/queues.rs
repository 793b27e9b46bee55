//! `septet queues`: work that waits, and work that came to nothing.

use anyhow::{Context as _, ensure};
use septet::{
    contract::Stage,
    pipeline::{Pipeline, Replayed, Status},
    store::Mode,
};
use serde_json::{Value, json};

use super::{
    args::QueuesCommand,
    drawing::Drawing,
    output,
    session::{Origin, succeeded},
};

/// Messages that one replay takes.
const MOST: usize = 1000;

/// Lists queues, or does what the command says.
pub(crate) async fn queues(origin: &Origin, command: Option<&QueuesCommand>) -> anyhow::Result<()> {
    match command {
        None => list(origin, &origin.existing().await?).await,
        Some(QueuesCommand::Peek { queue, limit }) => {
            peek(origin, &origin.existing().await?, queue, *limit).await
        }
        Some(QueuesCommand::Replay { queue, id }) => replay(origin, queue, id.as_deref()).await,
        Some(QueuesCommand::Remove { queue, id }) => {
            remove(origin, &origin.existing().await?, queue, id.as_deref()).await
        }
    }
}

async fn list(origin: &Origin, pipeline: &Pipeline) -> anyhow::Result<()> {
    let counts = pipeline.store().queues.counts().await?;
    if origin.global.json {
        let queues: Vec<_> = counts
            .iter()
            .map(|(queue, messages)| json!({ "queue": queue, "messages": messages }))
            .collect();
        return output::json(&json!({ "queues": queues }));
    }
    if counts.is_empty() {
        return output::text_line("all queues are empty");
    }
    let rows = counts
        .into_iter()
        .map(|(queue, messages)| vec![queue, messages.to_string()]);
    output::text_line(&output::table(
        &["queue", "messages"],
        &["messages"],
        rows.collect(),
    ))
}

async fn peek(
    origin: &Origin,
    pipeline: &Pipeline,
    queue: &str,
    limit: usize,
) -> anyhow::Result<()> {
    let messages = match poison_of(queue) {
        Some(stage) => poisoned(pipeline, stage, limit).await?,
        None => waiting(pipeline, queue, limit).await?,
    };
    if origin.global.json {
        return output::json(&json!({ "queue": queue, "messages": messages }));
    }
    if messages.is_empty() {
        return output::text_line(&format!("the queue {queue} is empty"));
    }
    let text = |message: &Value, key: &str| match message.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let header: &[&str] = match poison_of(queue) {
        Some(_) => &["id", "when", "attempt", "run", "reason"],
        None => &["id", "body"],
    };
    let rows = messages
        .iter()
        .map(|message| header.iter().map(|key| text(message, key)).collect());
    output::text_line(&output::table(header, &[], rows.collect()))
}

async fn poisoned(pipeline: &Pipeline, stage: Stage, limit: usize) -> anyhow::Result<Vec<Value>> {
    let poisoned = pipeline.poisoned(stage, limit).await?;
    let message = |(id, poisoned): &(String, septet::pipeline::Poisoned)| {
        let invocation = poisoned.invocation.as_ref();
        json!({
            "id": id,
            "run": invocation.map(|invocation| &invocation.run),
            "unit": invocation.map(|invocation| invocation.unit),
            "when": poisoned.when,
            "attempt": poisoned.attempt,
            "reason": poisoned.reason,
            "blame": poisoned.blame,
        })
    };
    Ok(poisoned.iter().map(message).collect())
}

async fn waiting(pipeline: &Pipeline, queue: &str, limit: usize) -> anyhow::Result<Vec<Value>> {
    let messages = pipeline.store().queues.peek(queue, limit).await?;
    let message = |message: &septet::store::Message| {
        let body = serde_json::from_slice(&message.body)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&message.body)));
        json!({ "id": message.id, "body": body })
    };
    Ok(messages.iter().map(message).collect())
}

async fn remove(
    origin: &Origin,
    pipeline: &Pipeline,
    queue: &str,
    id: Option<&str>,
) -> anyhow::Result<()> {
    ensure!(
        queue.parse::<Stage>().is_err(),
        "the messages of '{queue}' are work that waits: its run would wait for ever"
    );
    let queues = &pipeline.store().queues;
    let mut removed = 0;
    if let Some(id) = id {
        ensure!(
            queues.remove(queue, id).await?,
            "the queue {queue} has no message {id}"
        );
        removed = 1;
    } else {
        loop {
            let messages = queues.peek(queue, MOST).await?;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                removed += u64::from(queues.remove(queue, &message.id).await?);
            }
        }
    }
    if origin.global.json {
        return output::json(&json!({ "queue": queue, "removed": removed }));
    }
    output::text_line(&format!("{removed} messages were removed from {queue}"))
}

/// The stage of a poison queue.
fn poison_of(queue: &str) -> Option<Stage> {
    queue.strip_suffix("-poison")?.parse().ok()
}

async fn replay(origin: &Origin, queue: &str, id: Option<&str>) -> anyhow::Result<()> {
    let stage = poison_of(queue).with_context(|| {
        format!("'{queue}' is no poison queue: name one that ends in -poison, as `septet queues` lists it")
    })?;
    let session = origin.session(Mode::Existing).await?;
    let ids: Vec<String> = if let Some(id) = id {
        vec![id.to_owned()]
    } else {
        let all = session.pipeline.poisoned(stage, MOST).await?;
        all.into_iter().map(|(id, _)| id).collect()
    };
    let mut replayed = Vec::new();
    for message in &ids {
        match session.pipeline.replay(stage, message).await {
            Ok(Replayed::Reopened(invocation)) => replayed.push(invocation.run),
            Ok(Replayed::OutOfDate(_)) => {}
            // One that can't be replayed must not keep the others.
            Err(error) if id.is_none() => tracing::warn!("{error:#}"),
            Err(error) => return Err(error),
        }
    }
    replayed.sort();
    replayed.dedup();
    let mut ended = Vec::new();
    let mut failure = None;
    for run in &replayed {
        let state = session.resume(run, Drawing::new()).await?;
        ended.push(json!({ "run": run, "status": state.status().name() }));
        if state.status() != Status::Done {
            failure = Some(state);
        }
    }
    if let Some(state) = failure {
        return succeeded(state).map(drop);
    }
    if origin.global.json {
        return output::json(&json!({ "queue": queue, "runs": ended }));
    }
    output::text_line(&format!(
        "{} runs were taken up again and are done",
        ended.len()
    ))
}
