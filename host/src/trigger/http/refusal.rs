//! Why a request is not answered as it wants: a status and one line.
//!
//! Every answer with an error is made here, so that none has another form or no body.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::capability::clean;

/// The longest line that is told, in bytes.
const MAX_LINE: u64 = 2000;

/// What is told instead of an answer.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    line: String,
    header: Option<(HeaderName, HeaderValue)>,
    step: Option<&'static str>,
}

/// The one form of an error.
#[derive(Serialize)]
struct Told<'a> {
    error: &'a str,
    /// Where it ended, of what has several steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'static str>,
}

impl Refusal {
    /// A refusal with this status. What a client sent may be in the line: it is cut, and what
    /// could move a terminal's cursor is taken out.
    pub(super) fn new(status: StatusCode, line: impl AsRef<str>) -> Self {
        Self {
            status,
            line: clean(line.as_ref(), MAX_LINE),
            header: None,
            step: None,
        }
    }

    /// 400: what was sent can't be read.
    pub(super) fn bad(line: impl AsRef<str>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, line)
    }

    /// 404: what was asked for is not there.
    pub(super) fn missing(line: impl AsRef<str>) -> Self {
        Self::new(StatusCode::NOT_FOUND, line)
    }

    /// 409: it contradicts what is there.
    pub(super) fn conflict(line: impl AsRef<str>) -> Self {
        Self::new(StatusCode::CONFLICT, line)
    }

    /// 410: it was there, and is not any more.
    pub(super) fn gone(line: impl AsRef<str>) -> Self {
        Self::new(StatusCode::GONE, line)
    }

    /// 413: more was sent or asked for than is taken.
    pub(super) fn too_large(line: impl AsRef<str>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, line)
    }

    /// 422: it was read and can't be used.
    pub(super) fn unusable(line: impl AsRef<str>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, line)
    }

    /// 500: asking again does not help.
    pub(super) fn failed(line: impl AsRef<str>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, line)
    }

    /// 503: not now.
    pub(super) fn busy(line: impl AsRef<str>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, line)
            .with(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// 503: the store, or what else this process stands on, failed. The cause goes into the log: it
    /// may name paths of this machine.
    pub(super) fn fault(error: &anyhow::Error) -> Self {
        tracing::error!("a request failed: {error:#}");
        Self::known_fault()
    }

    /// As `fault`, where the log has the cause already.
    pub(super) fn known_fault() -> Self {
        Self::busy("the store does not answer as it should: the log of the server says why")
    }

    /// Why.
    pub(super) fn line(&self) -> &str {
        &self.line
    }

    /// The refusal with the step at which it came.
    pub(super) const fn at(mut self, step: &'static str) -> Self {
        self.step = Some(step);
        self
    }

    /// The refusal with a header.
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let told = Told {
            error: &self.line,
            step: self.step,
        };
        let mut response = json(self.status, &told);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// An answer in JSON, with the line end that terminals like.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let (status, mut bytes) = match serde_json::to_vec(value) {
        Ok(bytes) => (status, bytes),
        Err(error) => {
            tracing::error!("an answer could not be written: {error}");
            let told = br#"{"error":"the answer could not be written"}"#;
            (StatusCode::INTERNAL_SERVER_ERROR, told.to_vec())
        }
    };
    bytes.push(b'\n');
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_and_bounded() {
        let refusal = Refusal::bad("a\nb\u{1b}[2J");
        assert_eq!(refusal.line, "a b [2J");
        assert_eq!(Refusal::bad("x".repeat(9000)).line.len(), MAX_LINE as usize);
        let response = Refusal::busy("later").into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(response.headers()["content-type"], "application/json");
    }
}
