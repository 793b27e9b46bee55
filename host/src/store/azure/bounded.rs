//! Requests whose answers are bounded, in bytes and in time.
//!
//! The SDK's own client reads an answer to its end, however long it is, and waits for a server that
//! sends a byte now and then. What gives out tokens and secrets is asked through this one.

use std::time::Duration;

use async_trait::async_trait;
use azure_core::{
    Bytes,
    error::{Error, ErrorKind, Result},
    http::{
        AsyncRawResponse, Body, ClientOptions, HttpClient, Method, Request, RetryOptions,
        Transport,
        headers::{HeaderName, HeaderValue, Headers},
    },
};
use zeroize::{Zeroize as _, Zeroizing};

/// How long a connection may take. The endpoint of an instance's identity is on its own machine, and
/// where there is none nobody refuses.
const CONNECT: Duration = Duration::from_secs(3);

/// How long one answer may take, the connection included.
const ANSWER: Duration = Duration::from_secs(10);

/// Bytes of an answer: a token and a secret have at most some twenty thousand.
const MOST: usize = 64 << 10;

/// Whether the proxies of the environment are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxies {
    /// As for any server outside.
    Used,
    /// Never: what is asked is on this machine, and a proxy would see the instance's secret header.
    Ignored,
}

/// A client with bounds on all that comes back.
#[derive(Debug)]
pub(crate) struct Bounded(reqwest::Client);

impl Bounded {
    /// How the SDK is to send requests: through such a client, each once. Who asks decides whether to
    /// ask again: the SDK would wait for as long as a server tells it to.
    pub(crate) fn options(proxies: Proxies) -> anyhow::Result<ClientOptions> {
        crate::tls::provide();
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .redirect(reqwest::redirect::Policy::none());
        if proxies == Proxies::Ignored {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|_| {
            anyhow::anyhow!(
                "TLS can't be set up: install the system's trusted certificates (ca-certificates), or \
                 name a file of them with SSL_CERT_FILE"
            )
        })?;
        Ok(ClientOptions {
            retry: RetryOptions::none(),
            transport: Some(Transport::new(std::sync::Arc::new(Self(client)))),
            ..ClientOptions::default()
        })
    }
}

#[async_trait]
impl HttpClient for Bounded {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse> {
        let method = match request.method() {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            _ => {
                return Err(Error::with_message(
                    ErrorKind::Other,
                    "only GET and POST are sent",
                ));
            }
        };
        let mut asked = self.0.request(method, request.url().clone());
        for (name, value) in request.headers().iter() {
            asked = asked.header(name.as_str(), value.as_str());
        }
        if let Body::Bytes(bytes) = request.body() {
            asked = asked.body(bytes.clone());
        } else {
            return Err(Error::with_message(
                ErrorKind::Other,
                "a stream is not sent",
            ));
        }
        let mut answer = asked.send().await.map_err(broken)?;
        let status = answer.status().as_u16();
        let mut headers = Headers::new();
        for (name, value) in answer.headers() {
            // A value that is no text is none that anything here reads.
            if let Ok(value) = value.to_str() {
                headers.insert(
                    HeaderName::from(name.as_str().to_owned()),
                    HeaderValue::from(value.to_owned()),
                );
            }
        }
        // The whole place at once: a vector that grows would leave pieces of a secret behind.
        let mut body = Zeroizing::new(Vec::with_capacity(MOST));
        while let Some(piece) = answer.chunk().await.map_err(broken)? {
            if body.len() + piece.len() > MOST {
                body.zeroize();
                let line = format!("the answer has more than {MOST} bytes");
                return Err(Error::with_message(ErrorKind::DataConversion, line));
            }
            body.extend_from_slice(&piece);
        }
        let body = Bytes::from_owner(body);
        Ok(AsyncRawResponse::from_bytes(status.into(), headers, body))
    }
}

/// The error, without the address that reqwest would show: its query may hold what is nobody's
/// business.
fn broken(error: reqwest::Error) -> Error {
    let kind = if error.is_connect() {
        ErrorKind::Connection
    } else {
        ErrorKind::Io
    };
    let error = error.without_url();
    let line = if error.is_timeout() {
        "no answer in time".to_owned()
    } else {
        error.to_string()
    };
    Error::with_error(kind, error, line)
}
