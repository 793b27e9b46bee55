//! Where a component is in a registry, as it is typed.

use std::{fmt, net::IpAddr, str::FromStr};

use anyhow::{Context as _, bail, ensure};
use url::Url;

use crate::contract::Digest;

/// The longest address that is read, in bytes.
const MAX_TEXT: usize = 512;

/// The longest repository's name that the protocol allows.
const MAX_REPOSITORY: usize = 255;

/// The longest tag that the protocol allows.
const MAX_TAG: usize = 128;

/// The form, for errors.
const FORM: &str = "give oci://HOST[:PORT]/REPO[:TAG][@sha256:…]";

/// `oci://HOST[:PORT]/REPO[:TAG][@sha256:…]`.
///
/// The host is never left out: what a name without one means differs between tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The registry: host and port.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository in it.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, which may be moved to something else at any time.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The manifest's digest, which can't be anything else.
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same repository, at this manifest and without a tag.
    #[must_use]
    pub fn at(&self, digest: Digest) -> Self {
        Self {
            tag: None,
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// Whether the registry is on this machine, so that nobody on the way can listen.
    pub fn is_loopback(&self) -> bool {
        let Ok(url) = Url::parse(&format!("http://{}", self.registry)) else {
            return false;
        };
        let host = url.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || address.parse().is_ok_and(|a: IpAddr| a.is_loopback())
    }

    /// The address of the registry itself.
    pub(super) fn base(&self, plain: bool) -> anyhow::Result<Url> {
        let scheme = if plain { "http" } else { "https" };
        // Docker's own registry is called by a name at which no registry is.
        let registry = match self.registry.as_str() {
            "docker.io" => "registry-1.docker.io",
            registry => registry,
        };
        Url::parse(&format!("{scheme}://{registry}/"))
            .with_context(|| format!("{registry} is no host"))
    }
}

impl FromStr for Reference {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        ensure!(
            text.len() <= MAX_TEXT,
            "the address of the component has {} bytes, and at most {MAX_TEXT} are read",
            text.len()
        );
        let rest = text.strip_prefix("oci://").unwrap_or_default();
        let (registry, path) = rest.split_once('/').unwrap_or_default();
        // Before anything is shown: what stands there is a password.
        ensure!(
            !registry.contains('@'),
            "user and password do not belong in an address: set SEPTET_REGISTRY_USER and \
             SEPTET_REGISTRY_PASSWORD, or `docker login`"
        );
        let wrong = |why: &str| format!("{} is no component's address: {why}", text.escape_debug());
        ensure!(!registry.is_empty() && !path.is_empty(), "{}", wrong(FORM));
        if !is_registry(registry) {
            bail!(wrong("its host is not one"));
        }
        let (named, digest) = match path.split_once('@') {
            None => (path, None),
            Some((named, digest)) => {
                let hex = digest.strip_prefix("sha256:").unwrap_or_default();
                let digest = hex.parse().map_err(|_| {
                    anyhow::anyhow!(wrong("after @ stands sha256: and 64 hex digits"))
                })?;
                (named, Some(digest))
            }
        };
        let (repository, tag) = match named.split_once(':') {
            None => (named, None),
            Some((repository, tag)) => (repository, Some(tag)),
        };
        if !is_repository(repository) {
            bail!(wrong(
                "a repository's name has small letters, digits and single . _ - between them, in parts \
                 with / between"
            ));
        }
        if !tag.is_none_or(is_tag) {
            bail!(wrong(
                "a tag has letters, digits and . _ -, at most 128, and begins with none of . -"
            ));
        }
        Ok(Self {
            registry: registry.to_ascii_lowercase(),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            digest,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@sha256:{digest}")?;
        }
        Ok(())
    }
}

/// Whether this is a host with or without a port, and nothing that a URL would take otherwise.
fn is_registry(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let url = Url::parse(&format!("http://{text}/"));
    text.chars().all(plain) && url.is_ok_and(|url| url.host().is_some() && url.path() == "/")
}

/// As the protocol has it: parts of small letters and digits with `.`, `_`, `__` or any number of `-`
/// between them.
fn is_repository(text: &str) -> bool {
    let is_part = |part: &str| {
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let separator =
            |text: &str| matches!(text, "." | "_" | "__") || text.chars().all(|c| c == '-');
        part.starts_with(word) && part.ends_with(word) && part.split(word).all(separator)
    };
    text.len() <= MAX_REPOSITORY && text.split('/').all(is_part)
}

fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= MAX_TAG
        && text.starts_with(word)
        && text.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written_the_same() {
        let digest = "a".repeat(64);
        for text in [
            "oci://localhost:5000/train",
            "oci://ghcr.io/who/septet/train:1.0.0",
            "oci://[::1]:5000/a__b/c--d:_x",
            &format!("oci://127.0.0.1:5000/a/b.c_d@sha256:{digest}"),
            &format!("oci://h/a:t@sha256:{digest}"),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), *text);
        }
        let reference: Reference = "oci://LOCALHOST/train:V".parse().unwrap();
        assert_eq!(reference.registry(), "localhost");
        assert_eq!(reference.tag(), Some("V"));
        let digest = Digest::of(b"x");
        let at = reference.at(digest).to_string();
        assert_eq!(at, format!("oci://localhost/train@sha256:{digest}"));
    }

    #[test]
    fn loopback_is_told_from_names_that_only_look_like_it() {
        let loopback = |host: &str| {
            let reference: Reference = format!("oci://{host}/a").parse().unwrap();
            reference.is_loopback()
        };
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:1",
            "127.1.2.3",
            "[::1]:5000",
        ] {
            assert!(loopback(host), "{host}");
        }
        for host in [
            "localhost.example",
            "127.0.0.1.example",
            "10.0.0.1:5000",
            "[::2]",
            "h",
        ] {
            assert!(!loopback(host), "{host}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_in_one_line() {
        for text in [
            "",
            "oci://",
            "train",
            "oci://h",
            "oci://h/",
            "https://h/a",
            "oci:///a",
            "oci://h/A",
            "oci://h/a//b",
            "oci://h/a/",
            "oci://h/../a",
            "oci://h/a:",
            "oci://h/a:.x",
            "oci://h/a:b:c",
            "oci://h/a@sha256:12",
            "oci://h/a@sha512:12",
            "oci://h:port/a",
            "oci://h?x/a",
            "oci://h/a?b",
            "oci://h/a b",
            "oci://h/a\n",
            "oci://h/-a",
            "oci://h/a._b",
            "oci://h/a___b",
            "oci://h/%2e",
        ] {
            let error = text.parse::<Reference>().unwrap_err().to_string();
            assert!(
                error.contains("is no component's address"),
                "{text}: {error}"
            );
            assert!(!error.contains('\n'), "{error}");
        }
        let long = format!("oci://h/{}", "a".repeat(600));
        assert!(
            long.parse::<Reference>()
                .unwrap_err()
                .to_string()
                .contains("at most 512")
        );
        let long = format!("oci://h/a:{}", "a".repeat(129));
        assert!(long.parse::<Reference>().is_err());
        let secret = "oci://me:geheim@h/a"
            .parse::<Reference>()
            .unwrap_err()
            .to_string();
        assert!(!secret.contains("geheim"), "{secret}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(oci://)?[a-z0-9:/@.\\[\\]_-]{0,60}|.{0,60}") {
            if let Ok(reference) = text.parse::<Reference>() {
                let again: Reference = reference.to_string().parse().unwrap();
                proptest::prop_assert_eq!(again, reference);
            }
        }
    }
}
