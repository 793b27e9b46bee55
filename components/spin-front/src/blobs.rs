//! Data in and out.

use septet_core::contract::Digest;
use septet_spin_kit::{
    keyvalue,
    reply::{Refusal, json},
    request::pieces,
    wait::wait,
};
use serde_json::json;
use spin_sdk::http::{IncomingRequest, Response};

/// The largest blob that comes in or goes out over HTTP: a component holds it whole.
const MOST: u64 = 256 << 20;

/// Stores the body.
pub(crate) async fn put(request: IncomingRequest) -> Result<Response, Refusal> {
    let store = keyvalue::open()?;
    let mut writer = wait(store.blobs.create())?;
    pieces(request, MOST, |piece| Ok(wait(writer.write(piece))?)).await?;
    let (digest, size) = wait(writer.finish())?;
    if size == 0 {
        return Err(Refusal::bad("the body is empty: send the data"));
    }
    Ok(json(201, &json!({ "digest": digest, "size": size })))
}

/// Answers a blob.
pub(crate) fn get(digest: &str) -> Result<Response, Refusal> {
    let digest: Digest = digest
        .parse()
        .map_err(|error: anyhow::Error| Refusal::bad(error.to_string()))?;
    let store = keyvalue::open()?;
    let held = wait(store.blobs.touch(&digest))?;
    if held.is_none() {
        return Err(Refusal::missing(format!("there is no blob {digest}")));
    }
    let bytes = wait(async { Ok::<_, anyhow::Error>(store.blobs.get(&digest, MOST).await?) })?;
    Ok(Response::builder()
        .status(200)
        .header("content-type", "application/octet-stream")
        .body(bytes)
        .build())
}
