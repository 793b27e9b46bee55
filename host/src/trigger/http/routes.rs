//! What there is to ask for.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, StatusCode, Uri},
    middleware::from_fn_with_state,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};

use super::{
    artifacts, blobs, guard::guard, health, lists, predict, refusal::Refusal, runs, server::Server,
    stages, submit,
};

/// What a request may be, for those that are something else.
const PLACES: &str = "GET /health/live, GET /health/ready, POST /api/blobs, POST /api/runs, \
    GET /api/runs, GET /api/runs/RUN, GET /api/runs/RUN/artifacts/STAGE/NAME, \
    POST /api/runs/RUN/cancel, GET /api/queues, GET /api/models, GET /api/stages, \
    GET /api/stages/STAGE, PUT /api/stages/STAGE, POST /api/stages/STAGE/rollback, \
    POST /api/stages/STAGE/promote, POST /predict/MODEL";

/// The routes, behind the guard.
pub(super) fn routes(server: Arc<Server>) -> Router {
    Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/api/blobs", post(blobs::put))
        .route("/api/runs", get(runs::list).post(submit::submit))
        .route("/api/runs/{run}", get(runs::show))
        .route("/api/runs/{run}/cancel", post(runs::cancel))
        .route(
            "/api/runs/{run}/artifacts/{stage}/{name}",
            get(artifacts::get),
        )
        .route("/api/queues", get(lists::queues))
        .route("/api/models", get(lists::models))
        .route("/api/stages", get(stages::list))
        .route("/api/stages/{stage}", get(stages::show).put(stages::put))
        .route("/api/stages/{stage}/rollback", post(stages::rollback))
        .route("/api/stages/{stage}/promote", post(stages::promote))
        .route("/predict/{model}", post(predict::predict))
        .fallback(unknown)
        .method_not_allowed_fallback(not_so)
        // Bodies are bounded where they are read, each by its own bound.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(&server), guard))
        .with_state(server)
}

async fn unknown(method: Method, uri: Uri) -> Response {
    let path = uri.path();
    Refusal::missing(format!("there is no {method} {path}; there is {PLACES}")).into_response()
}

async fn not_so(method: Method, uri: Uri) -> Response {
    let path = uri.path();
    let line = format!("{path} does not take {method}; there is {PLACES}");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, line).into_response()
}
