//! The body of a request on its way in: bounded in bytes and in time.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use http_body_util::BodyExt as _;
use tokio::time::Instant;

use super::refusal::Refusal;

/// What a client has to send of a body each second, on average, after its first grace.
const BYTES_PER_SECOND: u64 = 16 << 10;

/// A body on its way in.
pub(super) struct Intake {
    body: Body,
    most: u64,
    received: u64,
    /// Bytes that the client has announced.
    told: u64,
    begun: Instant,
    grace: Duration,
}

impl Intake {
    /// The body of a request with these headers, of at most `most` bytes.
    pub(super) fn new(
        headers: &HeaderMap,
        body: Body,
        most: u64,
        grace: Duration,
    ) -> Result<Self, Refusal> {
        // What is packed could be much more than its bytes.
        let packed = headers.get(header::CONTENT_ENCODING);
        if packed.is_some_and(|packed| packed != "identity") {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "a body is taken as it is: send it without Content-Encoding",
            ));
        }
        let told = headers.get(header::CONTENT_LENGTH);
        let told = told.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if told.is_some_and(|told| told > most) {
            return Err(too_large(most));
        }
        Ok(Self {
            body,
            most,
            received: 0,
            told: told.unwrap_or(0),
            begun: Instant::now(),
            grace,
        })
    }

    /// The next piece; none at the end. A client that sends a byte now and then is not waited for:
    /// the time that it has grows with what it sent.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            let earned = Duration::from_secs(self.received / BYTES_PER_SECOND);
            let deadline = self.begun + self.grace + earned;
            let frame = tokio::time::timeout_at(deadline, self.body.frame()).await;
            let Ok(frame) = frame else {
                return Err(Refusal::new(
                    StatusCode::REQUEST_TIMEOUT,
                    format!(
                        "the body comes too slowly: {} bytes in {} s",
                        self.received,
                        self.begun.elapsed().as_secs()
                    ),
                )
                .with(header::CONNECTION, HeaderValue::from_static("close")));
            };
            let Some(frame) = frame else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| {
                tracing::debug!("a body ended early: {error}");
                Refusal::bad("the body ends too early")
            })?;
            // Trailers say nothing that is asked for.
            if let Ok(piece) = frame.into_data() {
                self.received += piece.len() as u64;
                if self.received > self.most {
                    return Err(too_large(self.most));
                }
                return Ok(Some(piece));
            }
        }
    }

    /// The whole body.
    pub(super) async fn all(mut self) -> Result<Vec<u8>, Refusal> {
        // No more than is taken; and what is not filled is no memory yet.
        let mut bytes = Vec::with_capacity(self.told.min(self.most) as usize);
        while let Some(piece) = self.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }
}

fn too_large(most: u64) -> Refusal {
    Refusal::too_large(format!(
        "the body is too large: at most {most} bytes are taken here"
    ))
    .with(header::CONNECTION, HeaderValue::from_static("close"))
}

/// The media type of a body, in lower case and without its parameters; empty where it is not told.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let told = headers.get(header::CONTENT_TYPE);
    let told = told.and_then(|told| told.to_str().ok()).unwrap_or_default();
    let plain = told.split(';').next().unwrap_or_default();
    plain.trim().to_ascii_lowercase()
}

/// The whole body, which must be said to be JSON.
pub(super) async fn json(intake: Intake, headers: &HeaderMap) -> Result<Vec<u8>, Refusal> {
    let told = media_type(headers);
    if told != "application/json" {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("the body is to be application/json, not '{told}'"),
        ));
    }
    intake.all().await
}
