//! Requests signed with an account's key, as the storage services publish it:
//! <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use azure_core::http::{
    Body, Context, Method, Request,
    policies::{Policy, PolicyResult},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Signs each try, since each has a date of its own.
pub(super) struct Signer {
    account: String,
    key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, …)", self.account)
    }
}

impl Signer {
    pub(super) fn new(account: String, key: Zeroizing<Vec<u8>>) -> Self {
        Self { account, key }
    }

    /// The value of the header `authorization`.
    fn authorization(&self, request: &Request) -> azure_core::Result<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).map_err(|error| {
            azure_core::Error::with_message(
                azure_core::error::ErrorKind::Credential,
                format!("the account's key can't be used: {error}"),
            )
        })?;
        mac.update(string_to_sign(&self.account, request).as_bytes());
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        Ok(format!("SharedKey {}:{signature}", self.account))
    }
}

#[async_trait]
impl Policy for Signer {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let authorization = self.authorization(request)?;
        request.insert_header("authorization", authorization);
        super::account::pass_on(ctx, request, next).await
    }
}

/// What is signed: the verb, the standard headers that matter, all `x-ms-` headers, and the
/// resource with its query, in the order that is prescribed.
fn string_to_sign(account: &str, request: &Request) -> String {
    let headers: BTreeMap<String, String> = request
        .headers()
        .iter()
        .map(|(name, value)| {
            let name = name.as_str().to_ascii_lowercase();
            (name, value.as_str().trim().to_owned())
        })
        .collect();
    let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
    // Whatever sends it says how long the body is; nothing is said of an empty one.
    let length = match request.body() {
        Body::Bytes(bytes) if bytes.is_empty() => String::new(),
        Body::Bytes(bytes) => bytes.len().to_string(),
        Body::SeekableStream(stream) => stream.len().map(|l| l.to_string()).unwrap_or_default(),
    };
    let mut lines = vec![
        verb(request.method()).to_owned(),
        header("content-encoding"),
        header("content-language"),
        length,
        header("content-md5"),
        header("content-type"),
        // The date is in `x-ms-date`.
        String::new(),
        header("if-modified-since"),
        header("if-match"),
        header("if-none-match"),
        header("if-unmodified-since"),
        header("range"),
    ];
    for (name, value) in &headers {
        if name.starts_with("x-ms-") {
            lines.push(format!("{name}:{value}"));
        }
    }
    lines.push(format!("/{account}{}", request.url().path()));
    let mut query: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in request.url().query_pairs() {
        let values = query.entry(name.to_lowercase()).or_default();
        values.push(value.into_owned());
    }
    for (name, mut values) in query {
        values.sort();
        lines.push(format!("{name}:{}", values.join(",")));
    }
    lines.join("\n")
}

const fn verb(method: Method) -> &'static str {
    match method {
        Method::Delete => "DELETE",
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Patch => "PATCH",
        Method::Post => "POST",
        Method::Put => "PUT",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str, method: Method, headers: &[(&'static str, &'static str)]) -> Request {
        let mut request = Request::new(url.parse().unwrap(), method);
        for (name, value) in headers {
            request.insert_header(*name, *value);
        }
        request
    }

    #[test]
    fn what_is_signed_is_what_the_documentation_shows() {
        // The example of "Get Container Metadata" of the page that is named above.
        let request = request(
            "https://myaccount.blob.core.windows.net/mycontainer?restype=container&comp=metadata",
            Method::Get,
            &[
                ("x-ms-version", "2015-02-21"),
                ("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"),
            ],
        );
        assert_eq!(
            string_to_sign("myaccount", &request),
            "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\n\
             x-ms-version:2015-02-21\n/myaccount/mycontainer\ncomp:metadata\nrestype:container"
        );
    }

    #[test]
    fn a_body_a_range_and_repeated_names_are_in_it() {
        let mut request = request(
            "http://127.0.0.1:10000/a/c/b%2Fd?include=snapshots&include=metadata&Comp=list",
            Method::Put,
            &[
                ("content-type", "text/plain; charset=UTF-8"),
                ("x-ms-meta-m1", " v1 "),
                ("range", "bytes=0-1"),
                ("if-none-match", "*"),
            ],
        );
        request.set_body(b"hello world".to_vec());
        assert_eq!(
            string_to_sign("a", &request),
            "PUT\n\n\n11\n\ntext/plain; charset=UTF-8\n\n\n\n*\n\nbytes=0-1\nx-ms-meta-m1:v1\n\
             /a/a/c/b%2Fd\ncomp:list\ninclude:metadata,snapshots"
        );
    }

    #[test]
    fn the_signature_is_hmac_sha256_and_the_key_is_not_shown() {
        // RFC 4231, test case 2, by way of an account whose key it is.
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        mac.update(b"what do ya want for nothing?");
        assert_eq!(
            hex::encode(mac.finalize().into_bytes()),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let signer = Signer::new("a".to_owned(), Zeroizing::new(b"Jefe".to_vec()));
        let request = request("http://h/a/c", Method::Get, &[]);
        let value = signer.authorization(&request).unwrap();
        assert!(value.starts_with("SharedKey a:") && value.len() == "SharedKey a:".len() + 44);
        assert!(!format!("{signer:?}").contains("Jefe"));
    }
}
