//! Whether this process lives, and whether it can serve.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::json;
use tokio::sync::Mutex;

use super::{
    refusal::{Refusal, json},
    server::Server,
};

/// How long a client waits for a look at the store.
const LOOK: Duration = Duration::from_secs(5);

/// How long what was seen is told again.
const KEPT: Duration = Duration::from_secs(1);

/// What was seen at the last look, and when. Held by whoever looks: anybody may ask, without a key
/// and as often as he likes, and the store is looked at once a second and by one at a time.
pub(super) type Seen = Mutex<Option<(bool, Instant)>>;

/// It lives, or it would not answer.
pub(super) async fn live() -> Response {
    json(StatusCode::OK, &json!({ "status": "live" }))
}

/// It can serve if its store answers.
pub(super) async fn ready(State(server): State<Arc<Server>>) -> Result<Response, Refusal> {
    match tokio::time::timeout(LOOK, answers(server)).await {
        Ok(true) => Ok(json(StatusCode::OK, &json!({ "status": "ready" }))),
        Ok(false) => Err(Refusal::known_fault()),
        Err(_) => Err(Refusal::busy("the store does not answer")),
    }
}

async fn answers(server: Arc<Server>) -> bool {
    let mut seen = Arc::clone(&server.seen).lock_owned().await;
    if let Some((answers, when)) = *seen
        && when.elapsed() < KEPT
    {
        return answers;
    }
    // A task of its own: who goes away while a slow store is asked must not let the next one ask it
    // as well.
    let look = tokio::spawn(async move {
        let listed = server.pipeline.store().records.list("runs/", None, 1).await;
        if let Err(error) = &listed {
            tracing::error!("the store does not answer as it should: {error:#}");
        }
        *seen = Some((listed.is_ok(), Instant::now()));
        listed.is_ok()
    });
    look.await.unwrap_or(false)
}
