//! The event that a blob was written, in both forms in which Event Grid sends it.

use serde_json::{Map, Value};
use url::Url;

/// What such an event is called in either form.
const CREATED: &str = "Microsoft.Storage.BlobCreated";

/// The longest address and name of a blob, in bytes: the service allows 1,024 characters.
const LONGEST: usize = 8192;

/// A blob was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Created {
    /// Its address, as the event has it.
    pub(super) url: Url,
    /// Which content of it.
    pub(super) etag: Option<String>,
}

/// Reads an event; none where it is none of these, an error where it is one and can't be used.
pub(super) fn read(body: &[u8]) -> Result<Option<Created>, String> {
    // Only what is cheap to tell is told of bodies that may be anything.
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return Ok(None);
    };
    let event = match value {
        Value::Object(event) => event,
        // Event Grid's own form may come as a list.
        Value::Array(mut events) if events.len() == 1 => match events.pop() {
            Some(Value::Object(event)) => event,
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    of(&event)
}

/// As `read`, of an event that was read already.
pub(super) fn of(event: &Map<String, Value>) -> Result<Option<Created>, String> {
    let text = |object: &Map<String, Value>, name: &str| {
        let value = object.get(name).and_then(Value::as_str);
        value
            .filter(|value| value.len() <= LONGEST)
            .map(str::to_owned)
    };
    let kind = match text(event, "specversion").as_deref() {
        Some("1.0") => text(event, "type"),
        Some(_) => None,
        None => text(event, "eventType"),
    };
    if kind.as_deref() != Some(CREATED) {
        return Ok(None);
    }
    let data = event.get("data").and_then(Value::as_object);
    let data = data.ok_or("the event of a blob has no data")?;
    // Accounts with folders name their other endpoint in `url`.
    let url = text(data, "blobUrl").or_else(|| text(data, "url"));
    let url = url.ok_or("the event of a blob has no url")?;
    Ok(Some(Created {
        url: Url::parse(&url).map_err(|_| "the event of a blob has a url that is none")?,
        etag: text(data, "eTag"),
    }))
}

/// The container and the name of the blob at `url`, if it is in the account at `endpoint`.
pub(super) fn place(url: &Url, endpoint: &Url) -> Option<(String, String)> {
    let same = url.host_str() == endpoint.host_str()
        && url.port_or_known_default() == endpoint.port_or_known_default();
    let path = url
        .path()
        .strip_prefix(endpoint.path().trim_end_matches('/'))?;
    let (container, name) = path.strip_prefix('/')?.split_once('/')?;
    let (container, name) = (decoded(container)?, decoded(name)?);
    (same && !container.is_empty() && !name.is_empty()).then_some((container, name))
}

/// A path as it was before it was made part of an address; none where that is no text.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| (byte? as char).to_digit(16);
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push(u8::try_from(16 * high + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The example of Microsoft's documentation, shortened.
    fn grid() -> Value {
        json!({"topic": "/subscriptions/x/storageAccounts/acc",
            "subject": "/blobServices/default/containers/incoming/blobs/a.csv",
            "eventType": CREATED, "eventTime": "2026-06-26T18:41:00.9584103Z", "id": "831e1650",
            "data": {"api": "PutBlockList", "clientRequestId": "6d79dbfb",
                "eTag": "0x8D4BCC2E4835CD0", "contentType": "text/plain", "contentLength": 7,
                "blobType": "BlockBlob", "sequencer": "00000000000004420000000000028963",
                "url": "https://acc.blob.core.windows.net/incoming/a%20b/%C3%A4.csv"},
            "dataVersion": "", "metadataVersion": "1"})
    }

    #[test]
    fn both_forms_are_read() {
        let mut cloud = grid();
        cloud["specversion"] = json!("1.0");
        cloud["type"] = cloud["eventType"].take();
        for event in [grid(), cloud, json!([grid()])] {
            let created = read(event.to_string().as_bytes()).unwrap().unwrap();
            assert_eq!(created.etag.as_deref(), Some("0x8D4BCC2E4835CD0"));
            let endpoint = Url::parse("https://acc.blob.core.windows.net/").unwrap();
            let (container, name) = place(&created.url, &endpoint).unwrap();
            assert_eq!(
                (container.as_str(), name.as_str()),
                ("incoming", "a b/ä.csv")
            );
        }
    }

    #[test]
    fn others_are_none() {
        for other in [
            "x",
            "7",
            "[]",
            "{}",
            "[1]",
            r#"{"eventType":"x"}"#,
            r#"{"specversion":"1.0","type":"septet.invocation"}"#,
            r#"{"specversion":"2.0","type":"Microsoft.Storage.BlobCreated"}"#,
        ] {
            assert_eq!(read(other.as_bytes()).unwrap(), None, "{other}");
        }
        for (field, value) in [
            ("data", json!(7)),
            ("data", json!({})),
            ("data", json!({"url": "a b"})),
            ("data", json!({"url": "x".repeat(LONGEST + 1)})),
        ] {
            let mut event = grid();
            event[field] = value;
            assert!(read(event.to_string().as_bytes()).is_err());
        }
    }

    #[test]
    fn only_blobs_of_the_account_have_a_place() {
        let placed = |url: &str, endpoint: &str| {
            place(&Url::parse(url).unwrap(), &Url::parse(endpoint).unwrap())
        };
        let emulator = "http://127.0.0.1:10000/acc";
        assert!(placed("http://127.0.0.1:10000/acc/c/n", emulator).is_some());
        for url in [
            "http://127.0.0.1:10001/acc/c/n",
            "http://127.0.0.1:10000/accc/c/n",
            "http://127.0.0.1:10000/other/c/n",
            "http://127.0.0.1:10000/acc/c",
            "http://127.0.0.1:10000/acc/c/",
            "http://127.0.0.1:10000/acc/c/%FF",
            "http://127.0.0.1:10000/acc/c/%4",
            "http://evil.example:10000/acc/c/n",
        ] {
            assert_eq!(placed(url, emulator), None, "{url}");
        }
    }
}
