//! What a run made, on its way out.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Extension, Path, State, rejection::PathRejection},
    http::{HeaderValue, header},
    response::Response,
};
use futures_util::stream::try_unfold;

use super::{
    guard::Place,
    refusal::Refusal,
    runs::{known, state_of},
    server::Server,
};
use crate::{
    capability::clean,
    contract::Stage,
    store::{BlobError, BlobReader},
    trigger::ending,
};

/// Bytes that are read at a time.
const PIECE: u32 = 256 << 10;

/// The bytes of an output of a run's stage.
pub(super) async fn get(
    State(server): State<Arc<Server>>,
    Extension(place): Extension<Place>,
    path: Result<Path<(String, String, String)>, PathRejection>,
) -> Result<Response, Refusal> {
    let Path((run, stage, name)) = path.map_err(|error| Refusal::bad(error.body_text()))?;
    let stage: Stage = stage
        .parse()
        .map_err(|error: anyhow::Error| Refusal::missing(error.to_string()))?;
    let run = known(&server, &run).await?;
    let state = state_of(&server, &run).await?;
    let Some(artifact) = state.output(stage, &name) else {
        let name = clean(&name, 80);
        let line = format!("run {run} has no artifact '{name}' of {stage}");
        return Err(Refusal::missing(line));
    };
    let reader = server.pipeline.store().blobs.open(&artifact.digest).await;
    let reader = reader.map_err(unreadable)?;
    let size = reader.size();
    let mut response = Response::new(Body::from_stream(pieces(reader, place)));
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

/// What a client is told of a blob that it can't have. Where the bytes lie is the log's.
fn unreadable(error: BlobError) -> Refusal {
    match error {
        BlobError::Missing(digest) => Refusal::gone(format!(
            "the artifact's bytes ({digest}) are not kept any more"
        )),
        BlobError::Corrupt { digest, .. } => {
            tracing::error!("an artifact can't be sent: {error}");
            Refusal::failed(format!(
                "the artifact's bytes ({digest}) are damaged in the store: `septet store verify` on the \
                 server says where"
            ))
        }
        BlobError::Backend(error) => Refusal::fault(&error),
    }
}

/// The bytes, piece by piece. The request counts as one of those that are answered until the last
/// one is sent.
fn pieces(
    reader: Box<dyn BlobReader>,
    place: Place,
) -> impl futures_util::Stream<Item = anyhow::Result<Vec<u8>>> {
    try_unfold((reader, place, 0), |(reader, place, offset)| async move {
        if offset >= reader.size() {
            return Ok(None);
        }
        let piece = reader.read(offset, PIECE).await?;
        anyhow::ensure!(!piece.is_empty(), "a blob ends too early");
        let next = offset + piece.len() as u64;
        Ok(Some((piece, (reader, place, next))))
    })
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;

    use super::*;
    use crate::contract::Digest;

    #[test]
    fn what_is_wrong_with_a_blob_has_its_status() {
        let digest = Digest::of(b"x");
        let place = "/srv/x".to_owned();
        for (error, status, again) in [
            (BlobError::Missing(digest), 410, false),
            (BlobError::Corrupt { digest, place }, 500, false),
            (BlobError::Backend(anyhow::anyhow!("x")), 503, true),
        ] {
            let refusal = unreadable(error);
            assert!(!format!("{refusal:?}").contains("/srv"));
            let response = refusal.into_response();
            assert_eq!(response.status(), status);
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), again);
        }
    }
}
