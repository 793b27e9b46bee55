//! The way to a collector: HTTP with bounds on its time, and to where it was set only.

use std::{thread, time::Duration};

use anyhow::Context as _;
use reqwest::{blocking::Client, redirect::Policy};
use url::{Host, Url};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);

/// How long a batch may take in all.
pub(super) const BATCH: Duration = Duration::from_secs(3);

/// A client for requests to `url`.
pub(super) fn client(url: &Url) -> anyhow::Result<Client> {
    crate::tls::provide();
    let mut builder = Client::builder()
        .user_agent(concat!("septet/", env!("CARGO_PKG_VERSION")))
        // A redirection could lead a key elsewhere.
        .redirect(Policy::none())
        .connect_timeout(CONNECT)
        .timeout(BATCH);
    if is_here(url) {
        builder = builder.no_proxy();
    }
    // It brings a runtime of its own, which must not be made within another.
    let made = thread::spawn(move || builder.build()).join();
    let made = made.map_err(|_| anyhow::anyhow!("its thread broke"));
    made.and_then(|client| Ok(client?))
        .context("no client can be made to send traces and logs with")
}

/// Whether it is this machine, to which no proxy leads.
pub(super) fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// An address without what may be a secret in it.
pub(super) fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    // These fail for addresses that have no such parts.
    let _none = shown.set_username("");
    let _none = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_secrets() {
        let url = Url::parse("https://me:secret@collector.example/v1/traces?key=secret").unwrap();
        assert_eq!(shown(&url), "https://collector.example/v1/traces");
        assert!(!is_here(&url));
        for here in [
            "http://127.0.0.1:4318",
            "http://localhost:1",
            "http://[::1]:1",
        ] {
            assert!(is_here(&Url::parse(here).unwrap()), "{here}");
        }
    }
}
