//! Bindings and mapping.

#![allow(
    clippy::same_length_and_capacity,
    reason = "spin-sdk's macro generates it"
)]

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    clippy::indexing_slicing,
    reason = "generated"
)]
pub(crate) mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package septet:spin-gateway;

            world gateway {
                import septet:capability/blob-read@0.1.0;
                import septet:capability/blob-write@0.1.0;
                import septet:pipeline/stage@0.1.0;
            }
        ",
        generate_all,
    });
}

use bindings::septet::{
    capability::{blob_read::Reader, blob_write::Writer, blobs::Error},
    pipeline::{
        stage,
        types::{self, StageError},
    },
};
use serde_json::{Value, json};
use spin_sdk::http::{Method, Request, Response};

use crate::wire::{Invocation, Outcome};

/// Bytes that cross between components at once.
const PIECE: u32 = 1 << 20;

#[spin_sdk::http_component]
#[expect(clippy::needless_pass_by_value, reason = "as spin-sdk calls it")]
fn handle(request: Request) -> Response {
    let blob = request.path().rsplit_once("/blobs").map(|(_, rest)| rest);
    match (request.method(), blob) {
        (Method::Put, Some("")) => put(&request),
        (Method::Get, Some(rest)) => get(rest.trim_start_matches('/')),
        (Method::Post, None) => run(&request),
        _ => answer(
            405,
            &json!({"error": "PUT /blobs, GET /blobs/<digest> or POST an invocation"}),
        ),
    }
}

fn put(request: &Request) -> Response {
    let media_type = request
        .header("content-type")
        .and_then(|value| value.as_str());
    let stored = || {
        let writer = Writer::create(media_type.unwrap_or("application/octet-stream"))?;
        for piece in request.body().chunks(PIECE as usize) {
            writer.write(piece)?;
        }
        writer.finish()
    };
    match stored() {
        Ok(info) => answer(
            201,
            &json!({"digest": info.digest, "size": info.size, "media_type": info.media_type}),
        ),
        Err(error) => refused(error),
    }
}

fn get(digest: &str) -> Response {
    let read = || {
        let reader = Reader::open(digest)?;
        let info = reader.info();
        let mut bytes = Vec::new();
        loop {
            let piece = reader.read(bytes.len() as u64, PIECE)?;
            if piece.is_empty() {
                return Ok((info, bytes));
            }
            bytes.extend(piece);
        }
    };
    match read() {
        Ok((info, bytes)) => Response::builder()
            .status(200)
            .header("content-type", info.media_type)
            .body(bytes)
            .build(),
        Err(error) => refused(error),
    }
}

fn run(request: &Request) -> Response {
    let invocation: Invocation = match serde_json::from_slice(request.body()) {
        Ok(invocation) => invocation,
        Err(error) => return answer(400, &json!({"error": error.to_string()})),
    };
    match stage::run(&types::Invocation::from(invocation)) {
        Ok(outcome) => match serde_json::to_value(Outcome::from(outcome)) {
            Ok(outcome) => answer(200, &outcome),
            Err(error) => answer(500, &json!({"failed": error.to_string()})),
        },
        Err(StageError::Rejected(reason)) => answer(422, &json!({"rejected": reason})),
        Err(StageError::Failed(reason)) => answer(500, &json!({"failed": reason})),
        Err(StageError::Retry(delay)) => Response::builder()
            .status(503)
            .header(
                "retry-after",
                delay.milliseconds.div_ceil(1_000).to_string(),
            )
            .header("content-type", "application/json")
            .body(json!({"retry": delay.reason}).to_string())
            .build(),
    }
}

fn refused(error: Error) -> Response {
    match error {
        Error::NoSuchBlob => answer(404, &json!({"error": "no such blob"})),
        Error::AccessDenied => answer(403, &json!({"error": "access denied by the manifest"})),
        Error::TooLarge(most) => answer(
            413,
            &json!({"error": format!("a blob has at most {most} bytes")}),
        ),
        Error::Unavailable(reason) => answer(503, &json!({"error": reason})),
        Error::Other(reason) => answer(500, &json!({"error": reason})),
    }
}

fn answer(status: u16, body: &Value) -> Response {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(body.to_string())
        .build()
}
