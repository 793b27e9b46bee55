//! Bytes on their way into the store.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::json;

use super::{
    intake::Intake,
    refusal::{Refusal, json},
    server::Server,
};
use crate::contract::Digest;

/// Keeps a body, to be named by its digest when a run is asked for.
pub(super) async fn put(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let (digest, size) = keep(&server, &headers, body).await?;
    let told = json!({ "digest": digest, "size": size });
    Ok(json(StatusCode::CREATED, &told))
}

/// Streams a body into a blob; of one that does not come to its end nothing is left.
pub(super) async fn keep(
    server: &Server,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Digest, u64), Refusal> {
    let settings = &server.settings;
    let mut intake = Intake::new(headers, body, settings.body_bytes, settings.body)?;
    let blobs = &server.pipeline.store().blobs;
    let mut writer = blobs.create().await.map_err(|e| Refusal::fault(&e))?;
    let mut empty = true;
    while let Some(piece) = intake.next().await? {
        empty &= piece.is_empty();
        let written = writer.write(&piece).await;
        written.map_err(|e| Refusal::fault(&e))?;
    }
    if empty {
        return Err(Refusal::bad("the body is empty"));
    }
    writer.finish().await.map_err(|e| Refusal::fault(&e))
}
