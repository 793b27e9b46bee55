//! A connection as one line of settings: `NAME=VALUE;NAME=VALUE`, as the services' own tools write it.
//!
//! What is wrong is told by the setting's name alone. No error has any of the text: a key may stand in
//! any place of it.

use anyhow::{Context as _, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use url::Url;
use zeroize::Zeroizing;

use super::{
    Access, Connection,
    connection::{address, built, check_account, is_local},
};

/// Longest connection string that is read.
const MAX_TEXT: usize = 16 << 10;

/// Longest signature.
const MAX_SIGNATURE: usize = 4096;

/// Bytes of an account's key; real ones have 64.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 1..=256;

/// The emulator's account, which everybody knows.
const EMULATOR: &str = "devstoreaccount1";
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// The settings that may stand in a connection string. Those of services that are not used here are
/// known, so that a string can be copied as it is.
const KNOWN: [&str; 16] = [
    "AccountKey",
    "AccountName",
    "BlobEndpoint",
    "BlobSecondaryEndpoint",
    "DefaultEndpointsProtocol",
    "DevelopmentStorageProxyUri",
    "DfsEndpoint",
    "EndpointSuffix",
    "FileEndpoint",
    "FileSecondaryEndpoint",
    "QueueEndpoint",
    "QueueSecondaryEndpoint",
    "SharedAccessSignature",
    "TableEndpoint",
    "TableSecondaryEndpoint",
    "UseDevelopmentStorage",
];

/// The settings of one string. Borrowed, so that no copy of a key is left behind.
struct Parts<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Parts<'a> {
    fn read(text: &'a str) -> anyhow::Result<Self> {
        ensure!(
            text.len() <= MAX_TEXT,
            "a connection string has at most {MAX_TEXT} bytes"
        );
        let mut found: Vec<(&'static str, &'a str)> = Vec::new();
        for (part, number) in text.split(';').zip(1..) {
            if part.trim().is_empty() {
                continue;
            }
            // Only the first sign: a key ends in some.
            let name = part.split_once('=').map(|(name, _)| name.trim());
            let known = name.and_then(|name| {
                let mut known = KNOWN.into_iter();
                known.find(|known| known.eq_ignore_ascii_case(name))
            });
            let Some(known) = known else {
                bail!(
                    "part {number} is no setting of a connection string: give \
                     DefaultEndpointsProtocol=https;AccountName=NAME;AccountKey=KEY, or addresses \
                     and a SharedAccessSignature, or UseDevelopmentStorage=true"
                );
            };
            ensure!(
                found.iter().all(|(other, _)| *other != known),
                "{known} stands there twice"
            );
            let value = part.split_once('=').map_or("", |(_, value)| value.trim());
            ensure!(!value.is_empty(), "{known} is empty");
            found.push((known, value));
        }
        ensure!(!found.is_empty(), "the connection string is empty");
        Ok(Self(found))
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        let mut parts = self.0.iter();
        parts.find(|(own, _)| *own == name).map(|(_, value)| *value)
    }
}

impl Connection {
    /// The connection that a connection string says. `name` is what it goes by in settings.
    pub fn parse(name: &str, text: &str) -> anyhow::Result<Self> {
        read(name, text).with_context(|| format!("connection {name}"))
    }
}

fn read(name: &str, text: &str) -> anyhow::Result<Connection> {
    let parts = Parts::read(text.trim())?;
    if parts.get("UseDevelopmentStorage").is_some() {
        return emulator(name, &parts);
    }
    ensure!(
        parts.get("DevelopmentStorageProxyUri").is_none(),
        "DevelopmentStorageProxyUri goes with UseDevelopmentStorage=true alone"
    );
    let account = parts.get("AccountName");
    if let Some(account) = account {
        check_account(account).context("AccountName")?;
    }
    let blob = service(&parts, account, "BlobEndpoint", "blob")?;
    let queue = service(&parts, account, "QueueEndpoint", "queue")?;
    let access = match (parts.get("AccountKey"), parts.get("SharedAccessSignature")) {
        (Some(_), Some(_)) => {
            bail!("both AccountKey and SharedAccessSignature are there: take one of them away")
        }
        (Some(key), None) => Access::SharedKey {
            account: account
                .context("AccountName is missing: a key is one of an account")?
                .to_owned(),
            key: decode(key)?,
        },
        (None, Some(signature)) => {
            // Who sees a signature has it. The emulator on this machine speaks plain HTTP.
            for url in [&blob, &queue] {
                ensure!(
                    url.scheme() == "https" || is_local(url),
                    "a SharedAccessSignature is sent over https alone: {url} is not"
                );
            }
            Access::Sas(signed(signature)?)
        }
        (None, None) => bail!(
            "neither AccountKey nor SharedAccessSignature is there: give one of them, or use an \
             identity with {name}__accountName"
        ),
    };
    Ok(Connection {
        name: name.to_owned(),
        blob,
        queue,
        access,
    })
}

/// The address of a service: as written, else made from the account's name.
fn service(
    parts: &Parts,
    account: Option<&str>,
    setting: &str,
    service: &str,
) -> anyhow::Result<Url> {
    if let Some(text) = parts.get(setting) {
        return address(text).context(setting.to_owned());
    }
    let account =
        account.with_context(|| format!("{setting} is missing, and AccountName is, too"))?;
    let scheme = match parts.get("DefaultEndpointsProtocol") {
        None => "https",
        Some(text) if text.eq_ignore_ascii_case("https") => "https",
        Some(text) if text.eq_ignore_ascii_case("http") => "http",
        Some(_) => bail!("DefaultEndpointsProtocol is neither https nor http"),
    };
    let suffix = parts.get("EndpointSuffix").unwrap_or("core.windows.net");
    built(scheme, account, service, suffix).context("EndpointSuffix")
}

/// The emulator on this machine, or on the one that a proxy's address names.
fn emulator(name: &str, parts: &Parts) -> anyhow::Result<Connection> {
    for (setting, value) in &parts.0 {
        match *setting {
            "UseDevelopmentStorage" => ensure!(
                value.eq_ignore_ascii_case("true"),
                "UseDevelopmentStorage may be true, or be left out"
            ),
            "DevelopmentStorageProxyUri" => {}
            other => bail!("{other} does not go with UseDevelopmentStorage=true"),
        }
    }
    let base = parts.get("DevelopmentStorageProxyUri");
    let base = address(base.unwrap_or("http://127.0.0.1")).context("DevelopmentStorageProxyUri")?;
    let at = |port| {
        let mut url = base.clone();
        url.set_port(Some(port))
            .map_err(|()| anyhow::anyhow!("DevelopmentStorageProxyUri can't have a port"))?;
        url.set_path(EMULATOR);
        anyhow::Ok(url)
    };
    Ok(Connection {
        name: name.to_owned(),
        blob: at(10_000)?,
        queue: at(10_001)?,
        access: Access::SharedKey {
            account: EMULATOR.to_owned(),
            key: decode(EMULATOR_KEY)?,
        },
    })
}

fn decode(key: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    // The decoder's own error shows a letter of the text.
    let key = STANDARD.decode(key).ok().map(Zeroizing::new);
    key.filter(|key| KEY_BYTES.contains(&key.len()))
        .context("AccountKey is no key in base64: copy it again")
}

fn signed(text: &str) -> anyhow::Result<Zeroizing<String>> {
    let text = text.strip_prefix('?').unwrap_or(text);
    ensure!(
        text.len() <= MAX_SIGNATURE
            && text.bytes().all(|b| b.is_ascii_graphic() && b != b'#')
            && text.split('&').any(|pair| pair.starts_with("sig=")),
        "SharedAccessSignature is no signature: it has pairs like sv=…&sig=…"
    );
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC1zZWNyZXQ=";

    fn parse(text: &str) -> Connection {
        Connection::parse("Data", text).unwrap()
    }

    #[track_caller]
    fn refused(text: &str) -> String {
        let error = Connection::parse("Data", text).unwrap_err();
        let line = format!("{error:#}");
        assert!(line.starts_with("connection Data: "), "{line}");
        assert!(!line.contains('\n') && !line.contains(&KEY[..8]), "{line}");
        assert!(!line.contains("topsecret"), "{line}");
        line
    }

    #[test]
    fn an_account_and_its_key() {
        let text = format!(
            "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn"
        );
        let read = parse(&text);
        assert_eq!(
            read.blob.as_str(),
            "https://acc.blob.core.chinacloudapi.cn/"
        );
        assert_eq!(
            read.queue.as_str(),
            "https://acc.queue.core.chinacloudapi.cn/"
        );
        let Access::SharedKey { account, key } = &read.access else {
            panic!("{read:?}")
        };
        assert_eq!((account.as_str(), key.len()), ("acc", 41));
        assert!(!format!("{read:?}").contains("secret"), "{read:?}");
        // Names in any case, empty parts, one address of one's own.
        let text = format!(
            ";accountname=acc;ACCOUNTKEY={KEY}; BlobEndpoint = http://127.0.0.1:1/acc;TableEndpoint=x;"
        );
        let read = parse(&text);
        assert_eq!(read.blob.as_str(), "http://127.0.0.1:1/acc");
        assert_eq!(read.queue.as_str(), "https://acc.queue.core.windows.net/");
    }

    #[test]
    fn the_emulator() {
        let read = parse("UseDevelopmentStorage=true");
        assert_eq!(
            read.blob.as_str(),
            "http://127.0.0.1:10000/devstoreaccount1"
        );
        assert_eq!(
            read.queue.as_str(),
            "http://127.0.0.1:10001/devstoreaccount1"
        );
        let read =
            parse("UseDevelopmentStorage=True;DevelopmentStorageProxyUri=http://azurite.local");
        assert_eq!(
            read.blob.as_str(),
            "http://azurite.local:10000/devstoreaccount1"
        );
        let line = refused("UseDevelopmentStorage=false");
        assert!(line.contains("may be true"), "{line}");
        let line = refused(&format!("UseDevelopmentStorage=true;AccountKey={KEY}"));
        assert!(line.contains("AccountKey does not go with"), "{line}");
        assert!(refused("DevelopmentStorageProxyUri=http://x").contains("goes with"));
    }

    #[test]
    fn a_signature() {
        let text = "BlobEndpoint=https://a.example/;QueueEndpoint=https://b.example/;SharedAccessSignature=?sv=1&sig=topsecret%3D";
        let read = parse(text);
        let Access::Sas(query) = &read.access else {
            panic!("{read:?}")
        };
        assert_eq!(query.as_str(), "sv=1&sig=topsecret%3D");
        assert!(!format!("{read:?}").contains("topsecret"));
        let plain = text.replace("https://a.example", "http://a.example");
        assert!(refused(&plain).contains("over https alone"));
        parse(&text.replace("https://a.example", "http://127.0.0.1:10000"));
        assert!(refused(&text.replace("sig=", "x=")).contains("no signature"));
    }

    #[test]
    fn what_is_wrong_is_named_and_not_shown() {
        let long = "x".repeat(20_000);
        for (text, named) in [
            ("", "is empty"),
            (long.as_str(), "at most"),
            ("topsecret", "part 1"),
            (KEY, "part 1"),
            ("AccountName=acc;AccountName=acc", "twice"),
            ("AccountName=", "AccountName is empty"),
            ("AccountName=acc", "neither AccountKey"),
            ("AccountName=topsecret/;AccountKey=x", "AccountName"),
            (
                "AccountName=acc;AccountKey=topsecret",
                "AccountKey is no key",
            ),
            ("AccountName=acc;AccountKey====", "AccountKey is no key"),
            (
                "AccountName=acc;AccountKey=x;SharedAccessSignature=y",
                "both",
            ),
            ("AccountKey=topsecret", "BlobEndpoint is missing"),
            (
                "AccountName=acc;AccountKey=x;EndpointSuffix=a/topsecret",
                "EndpointSuffix",
            ),
            (
                "AccountName=acc;DefaultEndpointsProtocol=ftp",
                "DefaultEndpointsProtocol",
            ),
            (
                "AccountName=acc;BlobEndpoint=https://u:topsecret@h/",
                "names a user",
            ),
            (
                "AccountName=acc;BlobEndpoint=https://h/?sig=topsecret",
                "has a query",
            ),
            ("AccountName=acc;QueueEndpoint=topsecret", "QueueEndpoint"),
            (
                "AccountName=acc;QueueEndpoint=file:///topsecret",
                "begins with",
            ),
        ] {
            let line = refused(text);
            assert!(line.contains(named), "{line}");
        }
    }

    #[test]
    fn a_token_goes_over_tls_alone() {
        use super::super::{Identity, IdentityKind, service_address};

        let identity = || Identity::new(IdentityKind::Managed);
        let blob = service_address("acc", "blob").unwrap();
        let plain = address("http://127.0.0.1:10001/acc").unwrap();
        Connection::with_identity("Data", blob.clone(), blob.clone(), identity()).unwrap();
        let error = Connection::with_identity("Data", blob, plain, identity()).unwrap_err();
        assert!(error.to_string().contains("is not https"), "{error}");
    }
}
