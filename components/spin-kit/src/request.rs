//! What is asked, bounded before it is read.

use anyhow::anyhow;
use futures_util::StreamExt as _;
use spin_sdk::http::IncomingRequest;

use crate::reply::Refusal;

/// The path without its query, and without the slash at its end.
pub fn path(request: &IncomingRequest) -> String {
    let whole = request.path_with_query().unwrap_or_default();
    let path = whole.split('?').next().unwrap_or_default();
    path.trim_end_matches('/').to_owned()
}

/// The one value of a header; none where there is none or where it is no text.
pub fn header(request: &IncomingRequest, name: &str) -> Option<String> {
    let values = request.headers().get(name);
    let value = values.into_iter().next()?;
    String::from_utf8(value).ok()
}

/// Gives the body's pieces as they come, `most` bytes of them in all.
pub async fn pieces(
    request: IncomingRequest,
    most: u64,
    mut take: impl FnMut(&[u8]) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut stream = request.into_body_stream();
    let mut size = 0_u64;
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| {
            Refusal::bad(format!("the body ended early: {:#}", anyhow!("{error:?}")))
        })?;
        size += piece.len() as u64;
        if size > most {
            let line = format!("the body is too large: at most {most} bytes are taken");
            return Err(Refusal::new(413, line));
        }
        take(&piece)?;
    }
    Ok(())
}

/// The whole body, of at most `most` bytes.
pub async fn body(request: IncomingRequest, most: u64) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    pieces(request, most, |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })
    .await?;
    Ok(bytes)
}
