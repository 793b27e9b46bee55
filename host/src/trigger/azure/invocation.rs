//! One invocation, from the request of the Functions host to the answer.
//!
//! This is the one place that every invocation goes through: its span begins and ends here, its
//! log lines are collected here, and here it is decided what the Functions host is told. 2xx means
//! that nothing is left to do: done, or set aside with the reason, or sent again by ourselves.
//! Anything else is a fault of this process or its store, and the Functions host delivers again.

use std::time::Duration;

use anyhow::Context as _;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode},
    response::Response,
};
use serde_json::{Map, Value, json};
use tracing::Instrument as _;

use super::{
    answer,
    arrival::{Arrived, arrived},
    event,
    functions::{Function, Kind, Task},
    logs::Lines,
    opened::Ready,
    payload::{Bad, Payload},
    rows,
    server::{Handler, take},
};
use crate::{
    capability::clean,
    contract::{Digest, Stage},
    pipeline::{Traceparent, trace_of},
    store::{Handed, Message, Received},
    telemetry::{self, Call},
};

/// The header with the invocation's identifier.
const INVOCATION: &str = "x-azure-functions-invocationid";

/// Bytes of a body at most: a message has 64 KiB, and its metadata repeat some of it.
const MAX_MESSAGE: u64 = 1 << 20;

/// The same where a blob comes along, which is not wanted but can't be declined: the Functions host
/// itself fails above some 100 MB.
const MAX_BLOB: u64 = 160 << 20;

/// Why an invocation came to nothing.
enum Failed {
    /// What was sent is not what the function's declaration says.
    Bad(StatusCode, String),
    /// The store or this machine.
    Fault(anyhow::Error),
}

impl From<Bad> for Failed {
    fn from(why: Bad) -> Self {
        Self::Bad(StatusCode::BAD_REQUEST, why)
    }
}

impl From<&str> for Failed {
    fn from(why: &str) -> Self {
        Self::from(why.to_owned())
    }
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self::Fault(error)
    }
}

/// The identifier of the invocation that a request is for, in a form that can be shown.
pub(super) fn invocation_of(headers: &HeaderMap) -> String {
    let id = headers.get(INVOCATION).and_then(|id| id.to_str().ok());
    let fits = |id: &&str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (1..=64).contains(&id.len()) && id.chars().all(plain)
    };
    id.filter(fits).unwrap_or("unknown").to_owned()
}

/// Answers an invocation.
pub(super) async fn handle(
    handler: &Handler,
    function: &Function,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let invocation = invocation_of(headers);
    let parent = headers.get("traceparent").and_then(|v| v.to_str().ok());
    let name = function.name.as_str();
    let call = called(&function.kind, name, &invocation, parent);
    // What begins here stands below the call, or below its caller where calls are not exported.
    let asker = telemetry::stands(&call).or_else(|| parent.and_then(Traceparent::parse));
    let asker = asker.map(|asker| asker.to_string());
    let trace = asker.as_deref().and_then(trace_of);
    let span = tracing::info_span!("invocation", function = name, id = invocation, trace);
    let lines = Lines::of(&span, &invocation);
    async {
        match invoke(handler, function, asker.as_deref(), body).await {
            Ok(outputs) => answer::done(&outputs, &lines.take()),
            Err(failed) => {
                let (status, why) = match failed {
                    Failed::Bad(status, why) => (status, why),
                    Failed::Fault(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error:#}")),
                };
                let why = clean(&why, 2000);
                // Of an answer without 2xx nothing is kept, so the log has all of it.
                tracing::error!("the invocation failed: {why}");
                call.record("otel.status_description", why.as_str());
                answer::failed(status, &invocation, &why)
            }
        }
    }
    .instrument(span)
    .instrument(call.clone())
    .await
}

/// The span of a call of a function.
pub(super) fn called(
    kind: &Kind,
    name: &str,
    invocation: &str,
    traceparent: Option<&str>,
) -> tracing::Span {
    let trigger = match kind {
        Kind::Queue { .. } | Kind::Event { .. } => "pubsub",
        Kind::Blob => "datasource",
        Kind::Timer(_) => "timer",
        Kind::Http { .. } => "http",
    };
    telemetry::continued(&Call {
        name,
        trigger,
        invocation: Some(invocation),
        traceparent,
    })
}

/// Has what a request begins stand below the call that it came with.
pub(super) fn below(headers: &mut HeaderMap, asker: Option<&str>) {
    let asker = asker.and_then(|asker| HeaderValue::try_from(asker).ok());
    if let Some(asker) = asker {
        headers.insert("traceparent", asker);
    }
}

async fn invoke(
    handler: &Handler,
    function: &Function,
    trace: Option<&str>,
    body: Body,
) -> Result<Map<String, Value>, Failed> {
    let most = match &function.kind {
        Kind::Blob => MAX_BLOB,
        // A body as text in JSON, which writes some characters as two.
        Kind::Http { .. } => handler.settings.json_bytes.saturating_mul(2) + MAX_MESSAGE,
        _ => MAX_MESSAGE,
    };
    let body = take(body, most, handler.settings.body).await;
    let body = body.map_err(|(status, why)| Failed::Bad(status, why))?;
    let nothing = Map::new();
    match &function.kind {
        Kind::Queue {
            binding,
            stage,
            binary,
        } => {
            let payload = Payload::parse(&body)?;
            let body = match binary {
                true => payload.bytes(binding)?,
                false => payload.text(binding)?,
            };
            let handed = Handed {
                id: payload.label("Id").unwrap_or_default(),
                body,
                dequeue_count: payload.number("DequeueCount").unwrap_or(1).max(1),
            };
            let ready = handler.ready().await?;
            message(handler, ready, *stage, &handed, trace).await?;
            Ok(nothing)
        }
        Kind::Event { binding } => {
            let event = Payload::parse(&body)?.object(binding)?;
            let body = Value::Object(event.clone()).to_string();
            let ready = handler.ready().await?;
            let received = outside(Stage::Ingest, body.into_bytes(), 1);
            match event::of(&event) {
                Ok(Some(created)) => arrival(ready, &received, &created, trace).await?,
                Ok(None) => set_aside(ready, &received, "it is no event of a new blob").await?,
                Err(why) => set_aside(ready, &received, &why).await?,
            }
            Ok(nothing)
        }
        Kind::Blob => {
            let payload = Payload::without_data(&body)?;
            let url = payload.label("Uri").ok_or("Metadata has no Uri")?;
            let url = url.parse().map_err(|_| "Uri of Metadata is no address")?;
            let created = event::Created { url, etag: None };
            let ready = handler.ready().await?;
            let body = json!({"url": created.url.as_str()}).to_string();
            let received = outside(Stage::Ingest, body.into_bytes(), 1);
            arrival(ready, &received, &created, trace).await?;
            Ok(nothing)
        }
        Kind::Timer(task) => {
            Payload::parse(&body)?;
            tick(handler.ready().await?, *task).await?;
            Ok(nothing)
        }
        Kind::Http {
            request, answer, ..
        } => {
            let request = Payload::parse(&body)?.object(request)?;
            let mut request = rows::unwrap(&request)?;
            below(request.headers_mut(), trace);
            let ready = handler.ready().await?;
            let response = rows::ask(&ready.router, request).await;
            let output = rows::wrap(response).await;
            Ok(Map::from_iter([(answer.clone(), output)]))
        }
    }
}

/// Does what a message asks for. An event in the queue of ingest is a new blob.
async fn message(
    handler: &Handler,
    ready: &Ready,
    stage: Stage,
    handed: &Handed,
    trace: Option<&str>,
) -> anyhow::Result<()> {
    if stage == Stage::Ingest {
        let event = event::read(&handed.body);
        let received = || outside(stage, handed.body.clone(), handed.dequeue_count);
        match event {
            Ok(Some(created)) => return arrival(ready, &received(), &created, trace).await,
            Ok(None) => {}
            Err(why) => return set_aside(ready, &received(), &why).await,
        }
    }
    let queues = &ready.worker.pipeline().store().queues;
    let lease = ready.worker.policy().lease;
    let adopted = queues.adopt(stage.name(), handed, lease).await;
    let adopted = adopted.context("the message can't be taken over")?;
    let Some(received) = adopted else {
        tracing::info!("the message was dealt with, or another is at it");
        return Ok(());
    };
    tokio::select! {
        handled = ready.worker.handle(&received) => handled,
        () = handler.stop.handed_back() => ready.worker.hand_back(&received).await,
    }
}

/// What came from outside, in the form in which it can be set aside.
fn outside(stage: Stage, body: Vec<u8>, dequeue_count: u32) -> Received {
    Received {
        queue: stage.name().to_owned(),
        message: Message::new(Digest::of(&body).to_string(), body),
        dequeue_count,
        receipt: String::new(),
    }
}

async fn arrival(
    ready: &Ready,
    received: &Received,
    created: &event::Created,
    trace: Option<&str>,
) -> anyhow::Result<()> {
    match arrived(ready, created, trace).await? {
        Arrived::Done(what) => {
            tracing::info!("{what}");
            Ok(())
        }
        Arrived::Refused(why) => set_aside(ready, received, &why).await,
    }
}

/// Into the poison queue with the reason: to deliver it again would not help.
async fn set_aside(ready: &Ready, received: &Received, why: &str) -> anyhow::Result<()> {
    ready.worker.pipeline().refuse(received, why).await?;
    let queue = &received.queue;
    tracing::warn!(
        queue,
        "what came went to the poison queue: {}",
        clean(why, 2000)
    );
    Ok(())
}

/// Does what is done by the clock.
async fn tick(ready: &Ready, task: Task) -> anyhow::Result<()> {
    match task {
        Task::Sweep => {
            let recovered = ready.worker.pipeline().recover().await?;
            for (run, why) in &recovered.failed {
                tracing::warn!("run {run} can't be picked up: {why}");
            }
            let (published, asked) = (recovered.published, recovered.asked);
            let active = recovered.active.len();
            tracing::info!(active, published, asked, "swept");
        }
        Task::Timers => {
            // The Functions host sends the next tick when this one is answered: one is enough.
            let mut timers = ready.timers.lock().await;
            for timer in timers.iter_mut() {
                timer.look().await;
            }
        }
    }
    Ok(())
}

/// How long the sender of a body may take, beside a second for each 16 KiB.
pub(super) fn patience(grace: Duration, received: u64) -> Duration {
    grace.saturating_add(Duration::from_secs(received >> 14))
}
