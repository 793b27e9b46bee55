//! Vaults of Azure Key Vault.
//!
//! The vault is asked without a token first and says whose tokens it takes; the SDK sends one only where
//! that is the vault's own domain. No error repeats what a server said: it could be anything.

use std::{
    collections::HashMap,
    error::Error as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use azure_core::{
    credentials::TokenCredential,
    error::{Error, ErrorKind},
    http::headers::RETRY_AFTER,
};
use azure_security_keyvault_secrets::{
    SecretClient, SecretClientOptions, models::SecretClientGetSecretOptions,
};

use super::{Reference, Refused, Secret, Vaults};
use crate::store::azure::{Bounded, Identity, Proxies, credential, no_token};

/// Longest secret; the service takes 25 KiB.
const MAX_SECRET: usize = 25 << 10;

/// How long a vault may take, its challenge and the token included.
const LIMIT: Duration = Duration::from_secs(40);

/// The wait where there was no token. It is longer than anyone waits for a first secret: what is wrong
/// with an identity is told at once.
const NO_TOKEN: Duration = Duration::from_secs(30);

/// The role that an identity needs.
const ROLE: &str = "Key Vault Secrets User";

/// Vaults, asked by one identity.
pub struct KeyVaults {
    credential: Arc<dyn TokenCredential>,
    /// One for each vault that the settings name.
    clients: Mutex<HashMap<String, Arc<SecretClient>>>,
}

impl KeyVaults {
    /// Vaults that `identity` asks. `called` is what its settings begin with, for errors.
    pub fn new(identity: &Identity, called: &str) -> anyhow::Result<Self> {
        Ok(Self {
            credential: credential(identity, called)?,
            clients: Mutex::default(),
        })
    }

    fn client(&self, host: &str) -> anyhow::Result<Arc<SecretClient>> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(host) {
            return Ok(Arc::clone(client));
        }
        let options = SecretClientOptions {
            client_options: Bounded::options(Proxies::Used)?,
            verify_challenge_resource: Some(true),
            ..SecretClientOptions::default()
        };
        let endpoint = format!("https://{host}");
        let client = SecretClient::new(&endpoint, Arc::clone(&self.credential), Some(options));
        let client = client.map_err(|_| anyhow::anyhow!("vault {host} has no usable address"))?;
        let client = Arc::new(client);
        clients.insert(host.to_owned(), Arc::clone(&client));
        Ok(client)
    }
}

#[async_trait]
impl Vaults for KeyVaults {
    async fn fetch(&self, reference: &Reference) -> Result<Secret, Refused> {
        let client = self.client(reference.host());
        let client = client.map_err(|error| Refused::No(error.to_string()))?;
        let options = SecretClientGetSecretOptions {
            secret_version: reference.version().map(str::to_owned),
            ..SecretClientGetSecretOptions::default()
        };
        let asked = async {
            let answer = client.get_secret(reference.name(), Some(options)).await?;
            answer.into_model()
        };
        let late = Refused::Later {
            why: format!("{reference}: the vault gave no answer in time"),
            after: None,
        };
        let Ok(asked) = tokio::time::timeout(LIMIT, asked).await else {
            return Err(late);
        };
        let secret = asked.map_err(|error| refused(&error, reference))?;
        // Wrapped at once, so that it is wiped whatever comes of it.
        let secret = secret.value.map(Secret::new);
        let secret = secret.ok_or_else(|| Refused::Later {
            why: format!("{reference}: the vault answered with something that is no secret"),
            after: None,
        })?;
        let text = secret.text();
        if text.is_empty() || text.len() > MAX_SECRET {
            return Err(Refused::No(format!(
                "{reference} is empty or longer than {MAX_SECRET} bytes"
            )));
        }
        Ok(secret)
    }
}

/// What went wrong.
fn refused(error: &Error, reference: &Reference) -> Refused {
    let no = |why: &str| Refused::No(format!("{reference}: {why}"));
    let later = |why: &str, after| Refused::Later {
        why: format!("{reference}: {why}"),
        after,
    };
    // There was no token, though it was tried again already.
    if let Some(line) = no_token(error) {
        return later(&line, Some(NO_TOKEN));
    }
    let mut next = Some(error);
    // The innermost error that says something: outer ones only wrap it.
    let mut answered = None;
    let mut kinds = Vec::new();
    while let Some(own) = next {
        if let ErrorKind::HttpResponse {
            status,
            raw_response,
            ..
        } = own.kind()
        {
            let after = raw_response
                .as_ref()
                .and_then(|raw| raw.headers().get_optional_str(&RETRY_AFTER));
            answered = Some((u16::from(*status), after.and_then(wait)));
        }
        kinds.push(own.kind());
        next = own.source().and_then(|source| source.downcast_ref());
    }
    match answered {
        Some((404, _)) => no("there is no such secret or version; is it deleted?"),
        Some((403, _)) => no(&format!(
            "the vault refused (status 403): the identity needs the role {ROLE} on it, the vault's \
             network rules have to let this machine in, and the secret has to be enabled"
        )),
        Some((401, _)) => no(
            "the vault does not accept the identity's token (status 401): both have to be of the \
             same directory",
        ),
        Some((429, after)) => later("the vault has too many requests (status 429)", after),
        Some((status @ (408 | 500..), after)) => {
            later(&format!("the vault failed (status {status})"), after)
        }
        Some((status, _)) => no(&format!("the vault refused (status {status})")),
        None if kinds.contains(&&ErrorKind::Connection) => {
            later("the vault can't be reached over TLS", None)
        }
        None if kinds.contains(&&ErrorKind::DataConversion) => {
            later("the vault answered with something that is no secret", None)
        }
        None if kinds.contains(&&ErrorKind::Io) => {
            later("the vault broke off or gave no answer in time", None)
        }
        None => no("the vault asks for tokens of a domain that is not its own, or for none"),
    }
}

/// A wait in seconds, as the service writes it; a date is not understood, and our own wait taken.
fn wait(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use azure_core::http::{RawResponse, StatusCode, headers::Headers};

    use super::*;

    fn reference() -> Reference {
        let text = "@Microsoft.KeyVault(VaultName=v;SecretName=k)";
        Reference::parse(text).unwrap().unwrap()
    }

    fn answered(status: u16, after: Option<&'static str>) -> Refused {
        let mut headers = Headers::new();
        if let Some(after) = after {
            headers.insert(RETRY_AFTER, after);
        }
        let status = StatusCode::from(status);
        let inner = Error::new(
            ErrorKind::HttpResponse {
                status,
                error_code: Some("topsecret".to_owned()),
                raw_response: Some(Box::new(RawResponse::from_bytes(
                    status,
                    headers,
                    "topsecret",
                ))),
            },
            "topsecret\nline",
        );
        refused(
            &Error::with_error(ErrorKind::Other, inner, "topsecret"),
            &reference(),
        )
    }

    #[test]
    fn a_no_is_one_and_an_outage_is_none() {
        for (status, after, expected) in [
            (400, None, None),
            (401, None, None),
            (403, Some("7"), None),
            (404, None, None),
            (429, Some("7"), Some(Some(7))),
            (429, Some("soon"), Some(None)),
            (500, None, Some(None)),
            (503, Some("3"), Some(Some(3))),
        ] {
            let refused = answered(status, after);
            let why = refused.why();
            assert!(
                why.starts_with("secret k of vault v.vault.azure.net: "),
                "{why}"
            );
            assert!(!why.contains("topsecret") && !why.contains('\n'), "{why}");
            let found = match &refused {
                Refused::No(_) => None,
                Refused::Later { after, .. } => Some(after.map(|after| after.as_secs())),
            };
            assert_eq!(found, expected, "{status}");
        }
        for (kind, word) in [
            (ErrorKind::Connection, "over TLS"),
            (ErrorKind::Io, "broke off"),
            (ErrorKind::DataConversion, "no secret"),
            (ErrorKind::Other, "not its own"),
        ] {
            let error = Error::with_message(kind, "topsecret");
            let refused = refused(&error, &reference());
            assert!(refused.why().contains(word), "{refused:?}");
            assert!(!refused.why().contains("topsecret"), "{refused:?}");
        }
    }
}
