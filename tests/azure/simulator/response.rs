//! What the host makes of an answer.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

/// What became of an invocation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Succeeded {
        logs: Vec<String>,
        outputs: Value,
    },
    /// Body and logs are discarded; here they are kept for the test to look at.
    Failed(String),
    /// Nothing ever comes of it, until the function's time is over.
    Hangs,
}

/// The rules for status, type and body.
pub(crate) fn judge(status: u16, content_type: Option<&str>, body: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(body);
    if !(200..300).contains(&status) {
        return Outcome::Failed(format!("{status}: {text}"));
    }
    if body.is_empty() || text.trim() == "null" {
        return Outcome::Hangs;
    }
    let json = content_type.is_some_and(|kind| kind.starts_with("application/json"));
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(answer)) if json => {
            let logs = answer.get("Logs").and_then(Value::as_array);
            let line = |line: &Value| line.as_str().map(str::to_owned);
            Outcome::Succeeded {
                logs: logs.into_iter().flatten().filter_map(line).collect(),
                outputs: answer.get("Outputs").cloned().unwrap_or_default(),
            }
        }
        _ => Outcome::Failed(format!("no JSON: {text}")),
    }
}

/// What an output binding is given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    Bytes(Vec<u8>),
    Text(String),
    /// Messages of their own, where the binding is a queue.
    Several(Vec<Value>),
    Object(Value),
}

/// A string that happens to be base64 is decoded without a word; one that holds a list is taken
/// apart, one that holds an object is read and written again.
pub(crate) fn output(value: &str) -> Output {
    if let Ok(bytes) = BASE64_STANDARD.decode(value) {
        return Output::Bytes(bytes);
    }
    match serde_json::from_str(value) {
        Ok(Value::Array(all)) => Output::Several(all),
        Ok(object @ Value::Object(_)) => Output::Object(object),
        _ => Output::Text(value.to_owned()),
    }
}

#[test]
fn answers_are_judged_as_the_host_does() {
    let json = Some("application/json");
    for body in ["", "null", " null\n"] {
        assert_eq!(judge(200, json, body.as_bytes()), Outcome::Hangs);
    }
    for (status, kind, body) in [
        (
            500,
            json,
            r#"{"Outputs":{},"Logs":["lost"],"ReturnValue":null}"#,
        ),
        (200, json, "hello"),
        (200, Some("text/plain"), "{}"),
        (404, json, ""),
    ] {
        assert!(matches!(
            judge(status, kind, body.as_bytes()),
            Outcome::Failed(_)
        ));
    }
    let body = br#"{"Outputs":{},"Logs":["a","b"],"ReturnValue":null}"#;
    let Outcome::Succeeded { logs, .. } = judge(200, json, body) else {
        panic!("it succeeded");
    };
    assert_eq!(logs, ["a", "b"]);
}

#[test]
fn texts_are_taken_for_bytes() {
    assert_eq!(output("test"), Output::Bytes(vec![181, 235, 45]));
    assert!(matches!(output("abcd1234"), Output::Bytes(_)));
    assert_eq!(output("a text"), Output::Text("a text".to_owned()));
    assert!(matches!(output("[1, 2]"), Output::Several(all) if all.len() == 2));
    assert!(matches!(output("{\"a\":1}"), Output::Object(_)));
}
