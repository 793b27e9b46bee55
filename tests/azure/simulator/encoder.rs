//! Values as the host writes them into an invocation: bytes as base64, an object as JSON, everything
//! else as a string that holds JSON.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

/// A value of a binding.
#[derive(Clone, Debug)]
pub(crate) enum Bound {
    Bytes(Vec<u8>),
    Json(Value),
}

/// As it is in `Data` or `Metadata`.
pub(crate) fn encode(value: &Bound) -> Value {
    match value {
        Bound::Bytes(bytes) => json!(BASE64_STANDARD.encode(bytes)),
        Bound::Json(object @ Value::Object(_)) => object.clone(),
        Bound::Json(other) => json!(other.to_string()),
    }
}

/// The body of an invocation. What ends in "trigger" is dropped from the metadata.
pub(crate) fn body(function: &str, data: &[(&str, Bound)], metadata: &[(&str, Bound)]) -> Value {
    let all = |values: &[(&str, Bound)]| -> Map<String, Value> {
        let values = values.iter();
        values
            .map(|(name, value)| ((*name).to_owned(), encode(value)))
            .collect()
    };
    let mut metadata = all(metadata);
    metadata.retain(|name, _| !name.to_ascii_lowercase().ends_with("trigger"));
    metadata.insert(
        "sys".to_owned(),
        json!({"MethodName": function, "UtcNow": "2026-11-22T11:40:45.004275Z",
            "RandGuid": uuid::Uuid::new_v4().to_string()}),
    );
    json!({"Data": all(data), "Metadata": metadata})
}

#[test]
fn the_published_vectors() {
    assert_eq!(
        encode(&Bound::Json(json!("stringTest"))),
        json!("\"stringTest\"")
    );
    assert_eq!(encode(&Bound::Json(json!(4))), json!("4"));
    assert_eq!(
        encode(&Bound::Bytes(br#"{"job":1}"#.to_vec())),
        json!("eyJqb2IiOjF9")
    );
    // A queue message whose data type is string.
    let text = Bound::Json(json!(r#"{"job":1}"#));
    assert_eq!(encode(&text), json!("\"{\\\"job\\\":1}\""));
    let timer =
        json!({"Schedule": {"AdjustForDST": true}, "ScheduleStatus": null, "IsPastDue": false});
    let whole = body(
        "azure",
        &[("timer", Bound::Json(timer.clone()))],
        &[("timerTrigger", Bound::Json(json!("x")))],
    );
    assert_eq!(whole["Data"]["timer"], timer);
    assert_eq!(whole["Metadata"].as_object().unwrap().len(), 1);
    assert_eq!(whole["Metadata"]["sys"]["MethodName"], "azure");
}
