//! What there is of runs, and an end before they are done.

use std::sync::Arc;

use axum::{
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    refusal::{Refusal, json},
    server::Server,
};
use crate::{
    capability::clean,
    pipeline::{Found, RunState, RunSummary},
};

/// Runs that are listed where no number is asked for, and at most.
const LISTED: usize = 50;
const MOST: usize = 500;

/// Who ended a run, for its record.
const WHO: &str = "a request over HTTP";

/// How many runs are to be listed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    limit: Option<usize>,
}

/// The newest runs.
pub(super) async fn list(
    State(server): State<Arc<Server>>,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Result<Response, Refusal> {
    let limit = match listing {
        Ok(Query(Listing { limit })) => limit.unwrap_or(LISTED),
        Err(error) => return Err(Refusal::bad(error.body_text())),
    };
    if !(1..=MOST).contains(&limit) {
        return Err(Refusal::bad(format!(
            "limit is {limit}: it must be 1 to {MOST}"
        )));
    }
    let runs = server.pipeline.runs(limit).await;
    let runs = runs.map_err(|e| Refusal::fault(&e))?;
    let runs: Vec<Value> = runs.iter().map(told).collect();
    Ok(json(StatusCode::OK, &json!({ "runs": runs })))
}

fn told(run: &RunSummary) -> Value {
    json!({
        "run": run.id, "created": run.created, "kind": run.kind, "model": run.model,
        "status": run.status, "seconds": run.seconds, "data": run.sources, "reason": run.reason,
    })
}

/// One run: where it is, and what its stages gave.
pub(super) async fn show(
    State(server): State<Arc<Server>>,
    run: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let run = find(&server, run).await?;
    let state = state_of(&server, &run).await?;
    let rows = match server.pipeline.rows(&run).await {
        Ok(rows) => rows,
        Err(error) => return Err(lost_or_missing(&server, &run, &error).await),
    };
    let reason = state.failure().and_then(|commit| commit.reason());
    let request = &state.request;
    let data: Vec<&str> = request.sources.iter().map(|s| s.label.as_str()).collect();
    let told = json!({
        "run": run, "created": request.created, "kind": request.kind.name(),
        "model": request.name, "status": state.status(), "reason": reason, "data": data,
        "stages": rows,
    });
    Ok(json(StatusCode::OK, &told))
}

/// Ends a run; one that is done stays done.
pub(super) async fn cancel(
    State(server): State<Arc<Server>>,
    run: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let run = find(&server, run).await?;
    let status = match server.pipeline.cancel(&run, WHO).await {
        Ok(status) => status,
        Err(error) => return Err(lost_or_missing(&server, &run, &error).await),
    };
    Ok(json(
        StatusCode::OK,
        &json!({ "run": run, "status": status }),
    ))
}

async fn find(
    server: &Server,
    run: Result<Path<String>, PathRejection>,
) -> Result<String, Refusal> {
    match run {
        Ok(Path(run)) => known(server, &run).await,
        Err(error) => Err(Refusal::bad(error.body_text())),
    }
}

/// The run with this identifier or beginning.
pub(super) async fn known(server: &Server, beginning: &str) -> Result<String, Refusal> {
    let found = server.pipeline.look_up(beginning).await;
    let shown = clean(beginning, 80);
    match found.map_err(|e| Refusal::fault(&e))? {
        Found::One(run) => Ok(run),
        Found::None => Err(Refusal::missing(format!("there is no run '{shown}'"))),
        Found::Several => Err(Refusal::conflict(format!(
            "more than one run begins with '{shown}': give more of it"
        ))),
    }
}

/// What is done of a run that was there a moment ago.
pub(super) async fn state_of(server: &Server, run: &str) -> Result<RunState, Refusal> {
    match server.pipeline.state(run).await {
        Ok(state) => Ok(state),
        Err(error) => Err(lost_or_missing(server, run, &error).await),
    }
}

/// Why nothing can be had of a run that was there: the store failed, or else, where none is given,
/// the run was forgotten meanwhile.
pub(super) async fn lost(server: &Server, run: &str, error: &anyhow::Error) -> Option<Refusal> {
    match server.pipeline.look_up(run).await {
        Ok(Found::None) => None,
        _ => Some(Refusal::fault(error)),
    }
}

async fn lost_or_missing(server: &Server, run: &str, error: &anyhow::Error) -> Refusal {
    let fault = lost(server, run, error).await;
    fault.unwrap_or_else(|| Refusal::missing(format!("there is no run '{run}'")))
}
