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
    pipeline::{Found, RunSummary},
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
            "limit is {limit}: give it 1 to {MOST}"
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
    let state = server.pipeline.state(&run).await;
    let state = state.map_err(|e| Refusal::fault(&e))?;
    let rows = server.pipeline.rows(&run).await;
    let rows = rows.map_err(|e| Refusal::fault(&e))?;
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
    let status = server.pipeline.cancel(&run, WHO).await;
    let status = status.map_err(|e| Refusal::fault(&e))?;
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
