//! Where a secret is, as settings write it: `@Microsoft.KeyVault(…)`.
//!
//! A host on Azure Functions finds such settings resolved by the platform; where the platform could not,
//! or is another one, the reference itself arrives. It must never be taken for the secret: it can be
//! guessed.

use std::fmt;

use anyhow::{Context as _, bail, ensure};
use url::Url;

/// How a reference begins.
const BEGIN: &str = "@Microsoft.KeyVault(";

/// Longest reference.
const MAX: usize = 1024;

/// What a vault's address ends in. A token is sent to nobody else: who could write a setting could
/// otherwise have it sent to a server of their own.
const SUFFIXES: [&str; 3] = [
    ".vault.azure.net",
    ".vault.azure.cn",
    ".vault.usgovcloudapi.net",
];

/// A secret in a vault. Nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    host: String,
    name: String,
    version: Option<String>,
}

impl Reference {
    /// The reference in a setting; none where the setting is no reference but the secret itself. The
    /// error shows nothing of the text.
    pub fn parse(text: &str) -> anyhow::Result<Option<Self>> {
        let text = text.trim();
        let begins = text
            .get(..BEGIN.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(BEGIN));
        if !begins {
            return Ok(None);
        }
        ensure!(
            text.len() <= MAX,
            "a reference to a vault has at most {MAX} bytes"
        );
        let inner = text
            .get(BEGIN.len()..)
            .and_then(|rest| rest.strip_suffix(')'));
        let inner = inner.context("the reference to a vault does not end with )")?;
        let mut parts: Vec<(&str, &str)> = Vec::new();
        for part in inner.split(';').filter(|part| !part.trim().is_empty()) {
            let (name, value) = part
                .split_once('=')
                .context("a part of the reference to a vault is not NAME=VALUE")?;
            parts.push((name.trim(), value.trim()));
        }
        let take = |wanted: &str| -> anyhow::Result<Option<&str>> {
            let mut found = parts
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            let value = found.next().map(|(_, value)| *value);
            ensure!(
                found.next().is_none(),
                "{wanted} stands twice in the reference to a vault"
            );
            Ok(value)
        };
        let (uri, vault) = (take("SecretUri")?, take("VaultName")?);
        let (name, version) = (take("SecretName")?, take("SecretVersion")?);
        let known = [uri, vault, name, version];
        ensure!(
            known.iter().flatten().count() == parts.len(),
            "the reference to a vault has other parts than SecretUri, or VaultName, SecretName and \
             SecretVersion"
        );
        match known {
            [Some(uri), None, None, None] => Self::of_uri(uri).map(Some),
            [None, Some(vault), Some(name), version] => {
                Self::new(&format!("{vault}.vault.azure.net"), name, version).map(Some)
            }
            _ => bail!(
                "the reference to a vault needs SecretUri=https://VAULT.vault.azure.net/secrets/NAME, \
                 or VaultName=VAULT;SecretName=NAME"
            ),
        }
    }

    fn of_uri(text: &str) -> anyhow::Result<Self> {
        let url = Url::parse(text)
            .ok()
            .context("SecretUri of the reference to a vault is no address")?;
        ensure!(
            url.scheme() == "https"
                && url.port().is_none()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none(),
            "SecretUri of the reference to a vault is not https://VAULT/secrets/NAME[/VERSION]"
        );
        let host = url.host_str().unwrap_or_default();
        let path = url.path().trim_end_matches('/');
        let mut path = path.split('/');
        let (Some(""), Some("secrets"), Some(name), version, None) = (
            path.next(),
            path.next(),
            path.next(),
            path.next(),
            path.next(),
        ) else {
            bail!(
                "SecretUri of the reference to a vault does not end with /secrets/NAME[/VERSION]"
            );
        };
        Self::new(host, name, version)
    }

    fn new(host: &str, name: &str, version: Option<&str>) -> anyhow::Result<Self> {
        let host = host.to_ascii_lowercase();
        let vault = SUFFIXES.iter().find_map(|suffix| host.strip_suffix(suffix));
        let vault = vault.with_context(|| {
            format!(
                "the vault's address ends in none of {}: no other is asked",
                SUFFIXES.join(", ")
            )
        })?;
        let word = |text: &str, most: usize| {
            (1..=most).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        ensure!(
            word(vault, 24),
            "the vault's name has 1 to 24 letters, digits and -"
        );
        ensure!(
            word(name, 127),
            "the secret's name has 1 to 127 letters, digits and -"
        );
        ensure!(
            version.is_none_or(|version| word(version, 64)),
            "the secret's version has 1 to 64 letters and digits"
        );
        Ok(Self {
            name: name.to_owned(),
            version: version.map(str::to_owned),
            host,
        })
    }

    /// The vault's host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The secret's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version that is wanted; without one, the newest.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret {} of vault {}", self.name, self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parse(inner: &str) -> Reference {
        let text = format!("@Microsoft.KeyVault({inner})");
        Reference::parse(&text).unwrap().unwrap()
    }

    #[test]
    fn both_ways_to_write_one() {
        let read = parse("SecretUri=https://My.vault.azure.net/secrets/Key/");
        assert_eq!(read.to_string(), "secret Key of vault my.vault.azure.net");
        assert_eq!(read.version(), None);
        let read = parse("SecretUri=https://v.vault.usgovcloudapi.net/secrets/k/0a1b");
        assert_eq!(
            (read.host(), read.version()),
            ("v.vault.usgovcloudapi.net", Some("0a1b"))
        );
        let read = parse(" vaultname = v ; SecretName = k;SecretVersion=1; ");
        assert_eq!(
            read,
            parse("SecretUri=https://v.vault.azure.net/secrets/k/1")
        );
        for other in ["", "key", "@Microsoft.KeyVault", "x@Microsoft.KeyVault()"] {
            assert_eq!(Reference::parse(other).unwrap(), None, "{other}");
        }
    }

    #[test]
    fn other_servers_and_odd_forms_are_refused_and_not_shown() {
        for inner in [
            "",
            "topsecret",
            "SecretUri=topsecret",
            "SecretUri=http://v.vault.azure.net/secrets/k",
            "SecretUri=https://v.vault.azure.net.topsecret.example/secrets/k",
            "SecretUri=https://topsecret/secrets/k",
            "SecretUri=https://127.0.0.1/secrets/k",
            "SecretUri=https://a.b.vault.azure.net/secrets/k",
            "SecretUri=https://.vault.azure.net/secrets/k",
            "SecretUri=https://v.vault.azure.net:8443/secrets/k",
            "SecretUri=https://u:topsecret@v.vault.azure.net/secrets/k",
            "SecretUri=https://v.vault.azure.net/secrets/k?topsecret",
            "SecretUri=https://v.vault.azure.net/keys/k",
            "SecretUri=https://v.vault.azure.net/secrets/",
            "SecretUri=https://v.vault.azure.net/secrets/k/1/topsecret",
            "SecretUri=https://v.vault.azure.net/secrets/%2e%2e",
            "SecretUri=https://v.vault.azure.net/secrets/k;SecretName=k",
            "VaultName=v",
            "VaultName=v;VaultName=w;SecretName=k",
            "VaultName=v.topsecret/;SecretName=k",
            "VaultName=v;SecretName=../topsecret",
            "VaultName=v;SecretName=k;Other=topsecret",
        ] {
            let text = format!("@Microsoft.KeyVault({inner})");
            let line = format!("{:#}", Reference::parse(&text).unwrap_err());
            assert!(
                !line.contains("topsecret") && !line.contains('\n'),
                "{line}"
            );
        }
        let open = "@microsoft.keyvault(VaultName=v;SecretName=k";
        assert!(Reference::parse(open).is_err());
        let long = format!("@Microsoft.KeyVault({})", "x".repeat(2000));
        assert!(Reference::parse(&long).is_err());
    }
}
