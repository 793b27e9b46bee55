//! `septet queues`: work that waits, and work that came to nothing.

use std::{fs::File, io::Read as _, path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use septet::{
    contract::Stage,
    pipeline::{Pipeline, Replayed, Status},
    store::{Mode, check_queue},
};
use serde_json::json;

use super::{
    args::QueuesCommand,
    drawing::Drawing,
    messages, output,
    session::{Origin, succeeded},
};

/// Messages that one replay takes.
const MOST: usize = 1000;

/// Lists queues, or does what the command says.
pub(crate) async fn queues(origin: &Origin, command: Option<&QueuesCommand>) -> anyhow::Result<()> {
    match command {
        None | Some(QueuesCommand::List) => list(origin, &origin.existing().await?).await,
        Some(QueuesCommand::Peek { queue, limit }) => {
            let pipeline = origin.existing().await?;
            messages::peek(origin, &pipeline, queue, usize::from(*limit)).await
        }
        Some(QueuesCommand::Fetch { queue }) => {
            fetch(origin, &origin.existing().await?, queue).await
        }
        Some(QueuesCommand::Post { queue, file }) => {
            post(origin, &origin.existing().await?, queue, file).await
        }
        Some(QueuesCommand::Replay { queue, id, detach }) => {
            replay(origin, queue, id.as_deref(), *detach).await
        }
        Some(QueuesCommand::Purge { queue, id }) => {
            purge(origin, &origin.existing().await?, queue, id.as_deref()).await
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

/// How long a message is ours while it is printed.
const LEASE: Duration = Duration::from_secs(30);

/// Bytes of a message.
const MAX_TEXT: u64 = 48 << 10;

/// A stage's own messages are work, and poison messages go back by `replay`.
fn check_foreign(queue: &str) -> anyhow::Result<()> {
    let stage = queue.strip_suffix("-poison").unwrap_or(queue);
    ensure!(
        stage.parse::<Stage>().is_err(),
        "the messages of '{queue}' are the pipeline's own: `septet queues peek {queue}` shows them"
    );
    check_queue(queue)
}

async fn fetch(origin: &Origin, pipeline: &Pipeline, queue: &str) -> anyhow::Result<()> {
    check_foreign(queue)?;
    let queues = &pipeline.store().queues;
    let Some(mail) = queues.fetch(queue, LEASE).await? else {
        ensure!(!origin.global.json, "the queue {queue} is empty");
        return Ok(());
    };
    // Printed before it is deleted: where that fails it is there again when the lease is over.
    if origin.global.json {
        output::json(&json!({ "queue": queue, "text": mail.text }))?;
    } else {
        output::text_line(&output::harmless(&mail.text))?;
    }
    queues.discard(&mail).await?;
    Ok(())
}

async fn post(
    origin: &Origin,
    pipeline: &Pipeline,
    queue: &str,
    file: &Path,
) -> anyhow::Result<()> {
    check_foreign(queue)?;
    let shown = file.display();
    let read = || -> std::io::Result<String> {
        let mut text = String::new();
        File::open(file)?
            .take(MAX_TEXT + 1)
            .read_to_string(&mut text)?;
        Ok(text)
    };
    let text = read().with_context(|| format!("{shown} can't be read as a text"))?;
    ensure!(
        text.len() as u64 <= MAX_TEXT,
        "{shown} has more than {MAX_TEXT} bytes, which no message may have"
    );
    let id = uuid::Uuid::now_v7().to_string();
    pipeline.store().queues.post(queue, &id, &text).await?;
    if origin.global.json {
        return output::json(&json!({ "queue": queue, "posted": text.len() }));
    }
    output::text_line(&format!("{} bytes were put into {queue}", text.len()))
}

async fn purge(
    origin: &Origin,
    pipeline: &Pipeline,
    queue: &str,
    id: Option<&str>,
) -> anyhow::Result<()> {
    ensure!(
        queue.parse::<Stage>().is_err(),
        "the messages of '{queue}' are work that waits: its run would wait for ever; end a run \
         with `septet runs cancel RUN`"
    );
    let queues = &pipeline.store().queues;
    let mut purged = 0;
    if let Some(id) = id {
        ensure!(
            queues.remove(queue, id).await?,
            "the queue {queue} has no message {id}"
        );
        purged = 1;
    } else {
        loop {
            let messages = queues.peek(queue, MOST).await?;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                purged += u64::from(queues.remove(queue, &message.id).await?);
            }
        }
    }
    if origin.global.json {
        return output::json(&json!({ "queue": queue, "purged": purged }));
    }
    output::text_line(&format!("{purged} messages were deleted from {queue}"))
}

async fn replay(
    origin: &Origin,
    queue: &str,
    id: Option<&str>,
    detach: bool,
) -> anyhow::Result<()> {
    let stage = messages::poison_of(queue).with_context(|| {
        format!("'{queue}' is no poison queue: name one that ends in -poison, as `septet queues` lists it")
    })?;
    if detach {
        let runs = put_back(&origin.existing().await?, stage, id).await?;
        if origin.global.json {
            return output::json(&json!({ "queue": queue, "runs": runs }));
        }
        return output::text_line(&format!(
            "{} runs were put back: a running server or `septet work` goes on with them",
            runs.len()
        ));
    }
    let session = origin.session(Mode::Existing).await?;
    let replayed = put_back(&session.pipeline, stage, id).await?;
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

/// Puts poison messages back into their runs, and gives those.
async fn put_back(
    pipeline: &Pipeline,
    stage: Stage,
    id: Option<&str>,
) -> anyhow::Result<Vec<String>> {
    let ids: Vec<String> = if let Some(id) = id {
        vec![id.to_owned()]
    } else {
        let all = pipeline.poisoned(stage, MOST).await?;
        all.into_iter().map(|(id, _)| id).collect()
    };
    let mut replayed = Vec::new();
    for message in &ids {
        match pipeline.replay(stage, message).await {
            Ok(Replayed::Reopened(invocation)) => replayed.push(invocation.run),
            Ok(Replayed::OutOfDate(_)) => {}
            // One that can't be replayed must not keep the others.
            Err(error) if id.is_none() => tracing::warn!("{error:#}"),
            Err(error) => return Err(error),
        }
    }
    replayed.sort();
    replayed.dedup();
    Ok(replayed)
}
