//! Whether this process lives, and whether it can serve.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::json;

use super::{
    refusal::{Refusal, json},
    server::Server,
};

/// How long the store may take for a look.
const LOOK: Duration = Duration::from_secs(5);

/// It lives, or it would not answer.
pub(super) async fn live() -> Response {
    json(StatusCode::OK, &json!({ "status": "live" }))
}

/// It can serve if its store answers.
pub(super) async fn ready(State(server): State<Arc<Server>>) -> Result<Response, Refusal> {
    let records = &server.pipeline.store().records;
    match tokio::time::timeout(LOOK, records.list("runs/", None, 1)).await {
        Ok(Ok(_)) => Ok(json(StatusCode::OK, &json!({ "status": "ready" }))),
        Ok(Err(error)) => Err(Refusal::fault(&error)),
        Err(_) => Err(Refusal::busy("the store does not answer")),
    }
}
