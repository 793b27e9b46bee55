//! What a run made, on its way out.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderValue, header},
    response::Response,
};
use futures_util::stream::try_unfold;

use super::{refusal::Refusal, runs::known, server::Server};
use crate::{capability::clean, contract::Stage, store::BlobReader, trigger::ending};

/// Bytes that are read at a time.
const PIECE: u32 = 256 << 10;

/// The bytes of an output of a run's stage.
pub(super) async fn get(
    State(server): State<Arc<Server>>,
    path: Result<Path<(String, String, String)>, PathRejection>,
) -> Result<Response, Refusal> {
    let Path((run, stage, name)) = path.map_err(|error| Refusal::bad(error.body_text()))?;
    let stage: Stage = stage
        .parse()
        .map_err(|error: anyhow::Error| Refusal::missing(error.to_string()))?;
    let run = known(&server, &run).await?;
    let state = server.pipeline.state(&run).await;
    let state = state.map_err(|e| Refusal::fault(&e))?;
    let Some(artifact) = state.output(stage, &name) else {
        let name = clean(&name, 80);
        let line = format!("run {run} has no artifact '{name}' of {stage}");
        return Err(Refusal::missing(line));
    };
    let reader = server.pipeline.store().blobs.open(&artifact.digest).await;
    let reader = reader.map_err(|error| Refusal::fault(&error.into()))?;
    let size = reader.size();
    let mut response = Response::new(Body::from_stream(pieces(reader)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    // A stage says what it wrote, and it may be no type at all; or one that a browser would run.
    let media_type = HeaderValue::from_str(&artifact.media_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, media_type);
    let ending = ending(&artifact.media_type);
    let saved = format!(
        "attachment; filename=\"{}.{ending}\"",
        plain(&artifact.name)
    );
    if let Ok(saved) = HeaderValue::from_str(&saved) {
        headers.insert(header::CONTENT_DISPOSITION, saved);
    }
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", artifact.digest)) {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}

/// A name as a file may have it everywhere.
fn plain(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name = name.chars().take(80);
    name.map(|c| if fits(c) { c } else { '_' }).collect()
}

fn pieces(
    reader: Box<dyn BlobReader>,
) -> impl futures_util::Stream<Item = anyhow::Result<Vec<u8>>> {
    try_unfold((reader, 0), |(reader, offset)| async move {
        if offset >= reader.size() {
            return Ok(None);
        }
        let piece = reader.read(offset, PIECE).await?;
        anyhow::ensure!(!piece.is_empty(), "a blob ends too early");
        let next = offset + piece.len() as u64;
        Ok(Some((piece, (reader, next))))
    })
}
