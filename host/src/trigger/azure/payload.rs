//! What the Functions host sends with an invocation.
//!
//! Its encoder writes bytes as base64, an object as JSON, and everything else as a string that
//! holds JSON: the text `a` arrives as `"\"a\""`. A value is decoded by what its binding declares and
//! never by what it looks like.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

/// Why a payload can't be used.
pub(super) type Bad = String;

/// The body of an invocation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Payload {
    data: Map<String, Value>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

/// The same, where what is in the binding is not wanted: a blob of any size.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Without {
    #[serde(rename = "Data")]
    _data: IgnoredAny,
    #[serde(default)]
    metadata: Map<String, Value>,
}

impl Payload {
    /// Reads a body. Its depth is bounded by the reader, its size by whoever took it in.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Bad> {
        serde_json::from_slice(body).map_err(|error| bad(&error))
    }

    /// Reads a body for its metadata alone.
    pub(super) fn without_data(body: &[u8]) -> Result<Self, Bad> {
        let Without { metadata, .. } = serde_json::from_slice(body).map_err(|error| bad(&error))?;
        Ok(Self {
            data: Map::new(),
            metadata,
        })
    }

    /// What arrived for a binding.
    fn value(&self, binding: &str) -> Result<&Value, Bad> {
        let value = self.data.get(binding);
        value.ok_or_else(|| format!("Data has no '{binding}'"))
    }

    /// Bytes: of a binding whose data type is binary.
    pub(super) fn bytes(&self, binding: &str) -> Result<Vec<u8>, Bad> {
        let Value::String(text) = self.value(binding)? else {
            return Err(format!("Data.{binding} is no string of base64"));
        };
        let bytes = BASE64_STANDARD.decode(text);
        bytes.map_err(|_| {
            format!("Data.{binding} is no base64: the binding needs \"dataType\": \"binary\"")
        })
    }

    /// A text: of a binding whose data type is string. What holds an object is sent as that.
    pub(super) fn text(&self, binding: &str) -> Result<Vec<u8>, Bad> {
        match self.value(binding)? {
            Value::String(json) => match serde_json::from_str(json) {
                Ok(Value::String(text)) => Ok(text.into_bytes()),
                _ => Err(format!("Data.{binding} holds no text in JSON")),
            },
            object @ Value::Object(_) => Ok(object.to_string().into_bytes()),
            _ => Err(format!("Data.{binding} is neither a text nor an object")),
        }
    }

    /// An object: as it is, or as a text that holds it.
    pub(super) fn object(&self, binding: &str) -> Result<Map<String, Value>, Bad> {
        let mut value = self.value(binding)?.clone();
        // A string that holds JSON, which may be a string that holds the object.
        for _ in 0..2 {
            if let Value::String(json) = &value {
                value = serde_json::from_str(json)
                    .map_err(|_| format!("Data.{binding} holds no object"))?;
            }
        }
        match value {
            Value::Object(object) => Ok(object),
            _ => Err(format!("Data.{binding} holds no object")),
        }
    }

    /// A number of the metadata, as a number or as the text of one.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        let number = match self.metadata.get(name)? {
            Value::Number(number) => number.as_u64()?,
            Value::String(text) => text.trim_matches('"').parse().ok()?,
            _ => return None,
        };
        u32::try_from(number).ok()
    }

    /// A text of the metadata, as it is or as a string in JSON.
    pub(super) fn label(&self, name: &str) -> Option<String> {
        let Value::String(text) = self.metadata.get(name)? else {
            return None;
        };
        let inner: Option<String> = serde_json::from_str(text).ok();
        Some(inner.unwrap_or_else(|| text.clone()))
    }
}

fn bad(error: &serde_json::Error) -> Bad {
    format!("the body is not what the Functions host sends: {error}")
}

#[cfg(test)]
#[allow(
    clippy::needless_pass_by_value,
    reason = "values are written where they are used"
)]
mod tests {
    use serde_json::json;

    use super::*;

    fn payload(value: Value) -> Payload {
        Payload::parse(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn the_documented_message_is_read_in_both_encodings() {
        let text = payload(json!({
            "Data": {"msg": "\"{\\\"job\\\":1}\""},
            "Metadata": {"DequeueCount": "1", "Id": "\"800ae\"", "job": "\"1\"",
                "sys": {"MethodName": "stage1"}}
        }));
        assert_eq!(text.text("msg").unwrap(), br#"{"job":1}"#);
        assert_eq!(text.number("DequeueCount"), Some(1));
        assert_eq!(text.label("Id").as_deref(), Some("800ae"));
        let binary = payload(json!({"Data": {"msg": "eyJqb2IiOjF9"}, "Metadata": {
            "DequeueCount": 3, "Id": "800ae"}}));
        assert_eq!(binary.bytes("msg").unwrap(), br#"{"job":1}"#);
        assert_eq!(binary.number("DequeueCount"), Some(3));
        assert_eq!(binary.label("Id").as_deref(), Some("800ae"));
        assert_eq!(binary.number("Id"), None);
    }

    #[test]
    fn nothing_is_guessed() {
        // A text that could be base64 stays a text, and bytes are never taken for one.
        let both =
            payload(json!({"Data": {"a": "\"test\"", "b": "dGVzdA==", "c": "4", "d": {"x": 1}}}));
        assert_eq!(both.text("a").unwrap(), b"test");
        assert!(both.bytes("a").unwrap_err().contains("dataType"));
        assert!(both.text("b").is_err() && both.text("c").is_err());
        assert_eq!(both.bytes("b").unwrap(), b"test");
        assert_eq!(both.text("d").unwrap(), br#"{"x":1}"#);
        assert!(both.bytes("d").is_err() && both.bytes("e").is_err());
    }

    #[test]
    fn an_event_is_an_object_or_its_text() {
        let event = json!({"id": "1"});
        for sent in [
            event.clone(),
            json!(event.to_string()),
            json!(Value::String(event.to_string()).to_string()),
        ] {
            let payload = payload(json!({"Data": {"e": sent}}));
            assert_eq!(payload.object("e").unwrap()["id"], "1");
        }
        for bad in [json!("x"), json!("[]"), json!(7), json!(null)] {
            assert!(payload(json!({"Data": {"e": bad}})).object("e").is_err());
        }
    }

    #[test]
    fn hostile_bodies_are_refused() {
        let deep = format!("{{\"Data\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
        for body in [
            "",
            "null",
            "[]",
            "{}",
            "{\"Data\":7}",
            "{\"Data\":{},\"Metadata\":[]}",
            &deep,
        ] {
            assert!(Payload::parse(body.as_bytes()).is_err(), "{body:.40}");
        }
        // What is passed over is not nested on the stack, however deep it is.
        assert!(Payload::without_data(deep.as_bytes()).is_ok());
        assert!(Payload::without_data(br#"{"Data":[1]}"#).is_ok());
    }
}
