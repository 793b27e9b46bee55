//! The queue service and blobs over plain REST, let in by a signature that is made here: independent of the
//! code under test.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use url::Url;

use super::client::{self, Answer};
use crate::support::azurite::Account;

const VERSION: &str = "2021-12-02";

/// An account of the emulator.
#[derive(Clone)]
pub(crate) struct Storage {
    account: Account,
    signature: String,
}

/// A message that was received.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) receipt: String,
    pub(crate) count: u32,
    pub(crate) text: String,
}

impl Storage {
    pub(crate) fn new(account: Account) -> Self {
        let expiry = "2099-01-01T00:00:00Z";
        let (permissions, services, kinds) = ("rwdlacup", "bq", "sco");
        // The account's signature, as it is documented for this version.
        let told = format!(
            "{}\n{permissions}\n{services}\n{kinds}\n\n{expiry}\n\n\n{VERSION}\n\n",
            account.name
        );
        let key = BASE64_STANDARD.decode(account.key()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(told.as_bytes());
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("sv", VERSION),
            ("ss", services),
            ("srt", kinds),
            ("sp", permissions),
            ("se", expiry),
            ("sig", &signature),
        ] {
            query.append_pair(name, value);
        }
        Self {
            account,
            signature: query.finish(),
        }
    }

    pub(crate) fn connection_string(&self) -> String {
        self.account.connection_string()
    }

    fn ask(&self, service: &str, method: &str, path: &str, query: &str, body: &[u8]) -> Answer {
        let url = Url::parse(&self.account.endpoint(service)).unwrap();
        let target = format!("{}/{path}?{query}&{}", url.path(), self.signature);
        let headers = [("x-ms-version", VERSION), ("x-ms-blob-type", "BlockBlob")];
        let port = url.port().unwrap();
        client::send(port, (method, &target), &headers, body).unwrap()
    }

    /// Makes a queue.
    pub(crate) fn make_queue(&self, queue: &str) {
        let answer = self.ask("queue", "PUT", queue, "", b"");
        assert!(
            matches!(answer.status, 201 | 204 | 409),
            "{}",
            answer.text()
        );
    }

    /// Puts a message: `text` is what is on the wire.
    pub(crate) fn put(&self, queue: &str, text: &str) {
        let body = format!("<QueueMessage><MessageText>{text}</MessageText></QueueMessage>");
        let path = format!("{queue}/messages");
        let answer = self.ask("queue", "POST", &path, "messagettl=-1", body.as_bytes());
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    /// Receives messages; none where there is no such queue.
    pub(crate) fn get(&self, queue: &str, most: usize, visibility: u64) -> Vec<Message> {
        let query = format!("numofmessages={most}&visibilitytimeout={visibility}");
        let answer = self.ask("queue", "GET", &format!("{queue}/messages"), &query, b"");
        if answer.status == 404 {
            return Vec::new();
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
        messages(&answer.text())
    }

    /// Looks at messages.
    pub(crate) fn peek(&self, queue: &str) -> Vec<Message> {
        let query = "peekonly=true&numofmessages=32";
        let answer = self.ask("queue", "GET", &format!("{queue}/messages"), query, b"");
        if answer.status == 404 {
            Vec::new()
        } else {
            messages(&answer.text())
        }
    }

    pub(crate) fn delete(&self, queue: &str, message: &Message) -> bool {
        let path = format!("{queue}/messages/{}", message.id);
        let receipt: String =
            url::form_urlencoded::byte_serialize(message.receipt.as_bytes()).collect();
        let query = format!("popreceipt={receipt}");
        self.ask("queue", "DELETE", &path, &query, b"").status == 204
    }

    /// Hides a message for so long from now; its new receipt is the message's.
    pub(crate) fn hide(&self, queue: &str, message: &mut Message, seconds: u64) -> bool {
        let path = format!("{queue}/messages/{}", message.id);
        let receipt: String =
            url::form_urlencoded::byte_serialize(message.receipt.as_bytes()).collect();
        let query = format!("popreceipt={receipt}&visibilitytimeout={seconds}");
        let answer = self.ask("queue", "PUT", &path, &query, b"");
        if let Some(receipt) = answer.header("x-ms-popreceipt") {
            message.receipt = receipt.to_owned();
        }
        answer.status == 204
    }

    /// Makes a container and writes a blob; gives its address and the tag of its content.
    pub(crate) fn put_blob(&self, container: &str, name: &str, bytes: &[u8]) -> (String, String) {
        let made = self.ask("blob", "PUT", container, "restype=container", b"");
        assert!(matches!(made.status, 201 | 409), "{}", made.text());
        let answer = self.ask("blob", "PUT", &format!("{container}/{name}"), "", bytes);
        assert_eq!(answer.status, 201, "{}", answer.text());
        let etag = answer.header("etag").unwrap().to_owned();
        (
            format!("{}/{container}/{name}", self.account.endpoint("blob")),
            etag,
        )
    }
}

fn messages(xml: &str) -> Vec<Message> {
    let each = xml.split("<QueueMessage>").skip(1);
    let part = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>")).unwrap_or_default();
        let (value, _) = rest.split_once(&format!("</{name}>")).unwrap_or_default();
        value.to_owned()
    };
    each.map(|text| Message {
        id: part(text, "MessageId"),
        receipt: part(text, "PopReceipt"),
        count: part(text, "DequeueCount").parse().unwrap_or_default(),
        text: part(text, "MessageText"),
    })
    .collect()
}
