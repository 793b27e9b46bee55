//! What the Functions host is told.
//!
//! An answer with 2xx must be an object, or the invocation hangs, and its outputs are read by rules
//! that take texts for bytes: so a function that is not for HTTP has none. An answer without 2xx
//! is a fault of this process, of which the Functions host keeps nothing but that it happened.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::{Map, Value, json};

/// The invocation is done. `outputs` are by name, for HTTP alone.
pub(super) fn done(outputs: &Map<String, Value>, logs: &[String]) -> Response {
    let told = json!({"Outputs": outputs, "Logs": logs, "ReturnValue": null});
    json_of(StatusCode::OK, &told)
}

/// The invocation failed, and is to be delivered again.
pub(super) fn failed(status: StatusCode, invocation: &str, why: &str) -> Response {
    json_of(status, &json!({"error": why, "invocation": invocation}))
}

/// An answer to whoever asked for something that is not there.
pub(super) fn refused(status: StatusCode, why: &str) -> Response {
    json_of(status, &json!({ "error": why }))
}

/// That this process is there: the Functions host asks until it is.
pub(super) fn alive() -> Response {
    let told = json!({"septet": env!("CARGO_PKG_VERSION")});
    json_of(StatusCode::OK, &told)
}

fn json_of(status: StatusCode, told: &Value) -> Response {
    let mut response = Response::new(Body::from(told.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
