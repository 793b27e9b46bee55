//! What went wrong between us and a registry, as one line. No line has a query, a header or a
//! secret.

use std::error::Error as _;

use reqwest::{Response, StatusCode};
use serde_json::Value;
use url::Url;

use super::remote::read;
use crate::capability::clean;

/// The most of a registry's own words that are read.
const MAX_WORDS: u64 = 64 << 10;

/// The most of them that are shown.
const MAX_SHOWN: u64 = 200;

/// A request that came to no answer, or an answer that came to no end.
pub(super) fn broken(error: reqwest::Error, url: &Url) -> anyhow::Error {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}"));
    let host = format!("{host}{}", port.unwrap_or_default());
    // The address may hold what is nobody's business.
    let error = error.without_url();
    if error.is_timeout() {
        return anyhow::anyhow!("{host} does not answer in time");
    }
    // The innermost cause says most: refused, unknown name, a certificate that nobody trusts.
    let mut cause = error.source();
    while let Some(next) = cause.and_then(std::error::Error::source) {
        cause = Some(next);
    }
    let cause = cause.map_or_else(|| error.to_string(), ToString::to_string);
    let cause = clean(&cause, MAX_SHOWN);
    if error.is_connect() {
        anyhow::anyhow!("{host} can't be reached: {cause}")
    } else {
        anyhow::anyhow!("the connection to {host} broke: {cause}")
    }
}

/// An answer that is a refusal.
pub(super) async fn refused(answer: Response, host: &str, what: &str) -> String {
    let status = answer.status();
    let why = match status {
        StatusCode::UNAUTHORIZED => {
            format!(
                "{host} wants a user and a password that it knows for {what}: set \
                 SEPTET_REGISTRY_USER and SEPTET_REGISTRY_PASSWORD, or log in with docker (helpers \
                 that keep its passwords elsewhere are not run)"
            )
        }
        StatusCode::FORBIDDEN => format!("{host} denies {what} to this user"),
        StatusCode::NOT_FOUND => format!("{host} does not have {what}"),
        StatusCode::TOO_MANY_REQUESTS => {
            format!("{host} has too many requests: try again later")
        }
        status => format!("{host} answers {} to {what}", status.as_u16()),
    };
    // What can't be read adds nothing: the status said it.
    let body = read(answer, MAX_WORDS, "the reason").await;
    match words(&body.unwrap_or_default()) {
        Some(words) => format!("{why} ({words})"),
        None => why,
    }
}

/// The first of the errors that a registry tells, fit to be shown.
fn words(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| {
        let text = value.pointer(&format!("/errors/0/{name}"))?.as_str()?;
        Some(clean(text, MAX_SHOWN)).filter(|text| !text.is_empty())
    };
    match (text("code"), text("message")) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (code, message) => code.or(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registrys_words_are_made_fit() {
        let body =
            br#"{"errors":[{"code":"NAME_UNKNOWN","message":"a\u001b[2Jb\nc","detail":{}}]}"#;
        assert_eq!(words(body).unwrap(), "NAME_UNKNOWN: a [2Jb c");
        assert_eq!(words(br#"{"errors":[{"code":"X"}]}"#).unwrap(), "X");
        let long = format!(r#"{{"errors":[{{"message":"{}"}}]}}"#, "x".repeat(5000));
        assert!(words(long.as_bytes()).unwrap().len() <= 200);
        for body in ["", "<html>", "{}", r#"{"errors":7}"#, r#"{"errors":[]}"#] {
            assert_eq!(words(body.as_bytes()), None);
        }
    }
}
