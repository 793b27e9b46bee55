//! What the directory says where it refuses.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::{
    AsyncRawResponse, Context, Request,
    policies::{Policy, PolicyResult},
};
use serde_json::{Value, json};

/// Numbers of a refusal that are kept.
const MOST: usize = 4;

/// Leaves of a refusal what is shown of it: its numbers. The SDK can't read the directory's texts where
/// they have line ends, which they do, and would then know no status either.
#[derive(Debug)]
pub(super) struct Directory;

#[async_trait]
impl Policy for Directory {
    async fn send(
        &self,
        context: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let answer = super::account::pass_on(context, request, next).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let (status, headers, body) = answer.deconstruct();
        let body = body.collect().await?;
        Ok(AsyncRawResponse::from_bytes(
            status,
            headers,
            numbers(&body).to_string(),
        ))
    }
}

/// A refusal with nothing but its numbers; one that can't be read has none.
fn numbers(body: &[u8]) -> Value {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let codes = body.get("error_codes").and_then(Value::as_array);
    let codes = codes.into_iter().flatten().filter_map(Value::as_i64);
    let codes: Vec<i32> = codes
        .filter_map(|code| i32::try_from(code).ok())
        .take(MOST)
        .collect();
    json!({ "error": "", "error_codes": codes, "error_description": "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_are_left() {
        let body =
            br#"{"error":"x","error_codes":[700211,"y",99999999999],"error_description":"a\r\nb"}"#;
        assert_eq!(numbers(body)["error_codes"], json!([700_211]));
        assert!(!numbers(body).to_string().contains('b'));
        for odd in [&b""[..], b"<html>", b"[]", br#"{"error_codes":7}"#] {
            assert_eq!(numbers(odd)["error_codes"], json!([]));
        }
    }
}
