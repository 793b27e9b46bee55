//! Routes.

#![allow(
    clippy::same_length_and_capacity,
    reason = "spin-sdk's macro generates it"
)]

use std::time::{Duration, Instant};

use septet_spin_kit::{
    key, keyvalue,
    reply::{Refusal, json, reply},
    request::{body, path},
    wait::wait,
};
use serde_json::json;
use spin_sdk::http::{IncomingRequest, Method, Response};

use crate::{blobs, drive::Drive, stages::Stages, view, wish};

/// The largest request for a run, in bytes.
const WISH: u64 = 4 << 20;

/// How long a request is worked for before its client is told to look again.
const PATIENCE: Duration = Duration::from_mins(2);

/// Who ended a run, for its record.
const WHO: &str = "a request over HTTP";

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest) -> Response {
    reply(answer(request).await)
}

async fn answer(request: IncomingRequest) -> Result<Response, Refusal> {
    key::check(&request)?;
    let path = path(&request);
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match (request.method(), parts.as_slice()) {
        (Method::Put, ["blobs"]) => blobs::put(request).await,
        (Method::Get, ["blobs", digest]) => blobs::get(digest),
        (Method::Post, ["runs"]) => start(request).await,
        (Method::Get, ["runs"]) => view::runs(),
        (Method::Get, ["runs", run]) => view::run(200, run),
        (Method::Post, ["runs", run, "cancel"]) => cancel(run),
        (Method::Post, ["sweep"]) => sweep().await,
        (Method::Post, ["tidy"]) => tidy(),
        (Method::Get, ["models"]) => view::models(),
        (Method::Get, ["models", name]) => view::model(name),
        (_, [] | ["blobs" | "runs" | "models" | "sweep" | "tidy", ..]) => Err(Refusal::new(
            405,
            "there are PUT /blobs, GET /blobs/<digest>, POST /runs, GET /runs, GET /runs/<run>, \
             POST /runs/<run>/cancel, POST /sweep, POST /tidy, GET /models and \
             GET /models/<name>",
        )),
        _ => Err(Refusal::missing(format!("there is nothing at {path}"))),
    }
}

async fn start(request: IncomingRequest) -> Result<Response, Refusal> {
    let until = Instant::now() + PATIENCE;
    let stages = Stages::new()?;
    let wish = wish::Wish::read(&body(request, WISH).await?)?;
    let components = stages.components().await?;
    let pipeline = keyvalue::pipeline()?;
    let request = wait(wish.request(&pipeline, components))?;
    let run = wait(pipeline.start(request))?;
    let drive = Drive::new(&pipeline, &stages, until);
    let done = drive.run(&run).await?;
    view::run(if done { 201 } else { 202 }, &run)
}

fn cancel(run: &str) -> Result<Response, Refusal> {
    let pipeline = keyvalue::pipeline()?;
    let run = view::find(&pipeline, run)?;
    wait(pipeline.cancel(&run, WHO))?;
    view::run(200, &run)
}

fn tidy() -> Result<Response, Refusal> {
    let tidied = keyvalue::keyed()?.tidy(keyvalue::GRACE)?;
    let told = json!({
        "values": tidied.values,
        "uploads": tidied.uploads,
        "messages": tidied.messages,
    });
    Ok(json(200, &told))
}

async fn sweep() -> Result<Response, Refusal> {
    let until = Instant::now() + PATIENCE;
    let (stages, pipeline) = (Stages::new()?, keyvalue::pipeline()?);
    let recovered = wait(pipeline.recover())?;
    let handled = Drive::new(&pipeline, &stages, until).all().await?;
    let failed = recovered.failed.iter();
    let failed: Vec<_> = failed
        .map(|(run, reason)| json!({ "run": run, "reason": reason }))
        .collect();
    Ok(json(
        200,
        &json!({
            "published": recovered.published,
            "asked": recovered.asked,
            "handled": handled,
            "active": wait(async { Ok::<_, anyhow::Error>(pipeline.recover().await?.active) })?,
            "failed": failed,
        }),
    ))
}
