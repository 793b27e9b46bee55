//! Answers, and refusals in one line.

use serde_json::{Value, json};
use spin_sdk::http::Response;

/// What is answered instead of what was asked for.
#[derive(Debug)]
pub struct Refusal {
    status: u16,
    line: String,
}

impl Refusal {
    /// A refusal with this status; the line says what is wrong and what to do.
    pub fn new(status: u16, line: impl Into<String>) -> Self {
        let line = line.into();
        Self { status, line }
    }

    /// The request is wrong.
    pub fn bad(line: impl Into<String>) -> Self {
        Self::new(400, line)
    }

    /// What was asked for is not there.
    pub fn missing(line: impl Into<String>) -> Self {
        Self::new(404, line)
    }
}

/// What goes wrong beneath is the store's: it may work later.
impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        let line = format!("{error:#}");
        let line = septet_core::text::clean(&line, 1000);
        eprintln!("error {line}");
        Self::new(503, line)
    }
}

/// The answer, whichever it is.
pub fn reply(answered: Result<Response, Refusal>) -> Response {
    answered.unwrap_or_else(|refusal| {
        let Refusal { status, line } = refusal;
        let mut response = json(status, &json!({ "error": line }));
        if status == 401 {
            response.set_header("www-authenticate", "Bearer realm=\"septet\"");
        }
        response
    })
}

/// An answer in JSON.
pub fn json(status: u16, body: &Value) -> Response {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(body.to_string())
        .build()
}
