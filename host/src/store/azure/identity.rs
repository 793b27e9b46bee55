//! Tokens of an identity: where they come from, how long they are kept, and what goes wrong.
//!
//! Every failure is one line that says what to do. No token is ever part of one, nor of a log.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::{Error, ErrorKind, Result},
    time::OffsetDateTime,
};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use tokio::sync::Mutex;

use super::{
    Bounded, Identity, IdentityKind, Proxies, azure_cli::AzureCli, directory::Directory, failure,
    resource::Resource,
};

/// How long it may take to get a token, all tries together.
const LIMIT: Duration = Duration::from_secs(30);

/// Tries, where the fault may pass.
const TRIES: u32 = 3;

/// The wait before the second try; before the third it is twice as long.
const PAUSE: Duration = Duration::from_millis(300);

/// A new token is asked for when the old one has less than this left.
const REFRESH: Duration = Duration::from_mins(5);

/// A token with less than this left is not used any more: it would expire on its way.
const USABLE: Duration = Duration::from_secs(20);

/// For how long a failure stands, so that requests that waited for one token are told at once and do
/// not each wait for it again; and how long the endpoint is left alone while the old token is good.
const REST: Duration = Duration::from_secs(2);

/// Largest token file that is read; a platform's token has about a thousand bytes.
const MAX_TOKEN_FILE: u64 = 64 << 10;

/// Longest identifier of a client, a directory or a resource.
const MAX_IDENTIFIER: usize = 512;

/// Where the tokens of `identity` come from. `called` is the name of the connection in settings, so
/// that an error can name what to set.
pub fn credential(identity: &Identity, called: &str) -> anyhow::Result<Arc<dyn TokenCredential>> {
    for (setting, value) in [
        ("clientId", &identity.client_id),
        ("tenantId", &identity.tenant_id),
        ("managedIdentityResourceId", &identity.resource_id),
    ] {
        let fits = value.as_ref().is_none_or(|value| {
            (1..=MAX_IDENTIFIER).contains(&value.len())
                && value.bytes().all(|b| b.is_ascii_graphic())
        });
        ensure!(fits, "{called}__{setting} is no identifier");
    }
    let source: Arc<dyn TokenCredential> = match identity.kind {
        IdentityKind::Managed => managed(identity, called)?,
        IdentityKind::Workload => workload(identity, called)?,
        IdentityKind::AzureCli => AzureCliCredential::new(Some(AzureCliCredentialOptions {
            tenant_id: identity.tenant_id.clone(),
            executor: Some(Arc::new(AzureCli)),
            ..AzureCliCredentialOptions::default()
        }))
        .map_err(|_| anyhow::anyhow!("{called}__tenantId is no identifier of a directory"))?,
    };
    Ok(Arc::new(Tokens {
        source,
        kind: identity.kind,
        called: called.to_owned(),
        kept: Mutex::default(),
    }))
}

fn managed(identity: &Identity, called: &str) -> anyhow::Result<Arc<dyn TokenCredential>> {
    ensure!(
        identity.client_id.is_none() || identity.resource_id.is_none(),
        "both {called}__clientId and {called}__managedIdentityResourceId are set: take one of them \
         away"
    );
    // The endpoint is the instance's own: a proxy must not see what is sent there.
    let mut client_options = Bounded::options(Proxies::Ignored)?;
    if let Some(resource) = &identity.resource_id {
        client_options
            .per_call_policies
            .push(Arc::new(Resource::new(resource)));
    }
    let options = ManagedIdentityCredentialOptions {
        user_assigned_id: identity.client_id.clone().map(UserAssignedId::ClientId),
        client_options,
    };
    let source = ManagedIdentityCredential::new(Some(options))
        .map_err(|error| anyhow::anyhow!(failure::told(&error, IdentityKind::Managed, called)))?;
    Ok(source)
}

fn workload(identity: &Identity, called: &str) -> anyhow::Result<Arc<dyn TokenCredential>> {
    let file = identity.token_file.as_ref().with_context(|| {
        format!(
            "there is no token file for {called}: AZURE_FEDERATED_TOKEN_FILE is set where workload \
             identity is"
        )
    })?;
    let client_id = identity.client_id.clone();
    let client_id = client_id
        .with_context(|| format!("{called}__clientId or AZURE_CLIENT_ID has to name the client"))?;
    let tenant_id = identity.tenant_id.clone();
    let tenant_id = tenant_id.with_context(|| {
        format!("{called}__tenantId or AZURE_TENANT_ID has to name the directory")
    })?;
    // Looked at first, because the SDK reads it to its end and tells no name.
    let shown = format!("the token file {}", file.display());
    let data = std::fs::metadata(file);
    let data = data
        .with_context(|| format!("{shown} can't be read: is workload identity set up for it?"))?;
    ensure!(data.is_file(), "{shown} is no file");
    ensure!(
        (1..=MAX_TOKEN_FILE).contains(&data.len()),
        "{shown} has {} bytes: a token has 1 to {MAX_TOKEN_FILE}",
        data.len()
    );
    let mut client_options = Bounded::options(Proxies::Used)?;
    client_options.per_try_policies.push(Arc::new(Directory));
    let options = WorkloadIdentityCredentialOptions {
        credential_options: ClientAssertionCredentialOptions { client_options },
        client_id: Some(client_id),
        tenant_id: Some(tenant_id),
        token_file_path: Some(file.clone()),
    };
    let source = WorkloadIdentityCredential::new(Some(options))
        .map_err(|error| anyhow::anyhow!(failure::told(&error, IdentityKind::Workload, called)))?;
    Ok(source)
}

/// The tokens of one identity, kept until shortly before they expire.
struct Tokens {
    source: Arc<dyn TokenCredential>,
    kind: IdentityKind,
    called: String,
    /// One for each audience, of which a process has two at most: storage and vaults.
    kept: Mutex<Vec<Kept>>,
}

struct Kept {
    scope: String,
    token: Option<AccessToken>,
    failed: Option<(Instant, String)>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({:?}, …)", self.kind)
    }
}

#[async_trait]
impl TokenCredential for Tokens {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> Result<AccessToken> {
        let &[scope] = scopes else {
            return Err(refused("a token is for one audience".to_owned()));
        };
        // Held while a token is asked for, so that one request does it for all.
        let mut kept = self.kept.lock().await;
        let place = kept.iter().position(|kept| kept.scope == scope);
        let mut own = match place {
            Some(place) => kept.swap_remove(place),
            None => Kept {
                scope: scope.to_owned(),
                token: None,
                failed: None,
            },
        };
        let answer = self.fresh(&mut own).await;
        kept.push(own);
        answer.map_err(refused)
    }
}

impl Tokens {
    async fn fresh(&self, kept: &mut Kept) -> std::result::Result<AccessToken, String> {
        let lasts = |token: &AccessToken, least: Duration| {
            token.expires_on > OffsetDateTime::now_utc() + least
        };
        if let Some(token) = kept.token.as_ref().filter(|token| lasts(token, REFRESH)) {
            return Ok(token.clone());
        }
        let usable = kept.token.clone().filter(|token| lasts(token, USABLE));
        if let Some((when, line)) = &kept.failed
            && when.elapsed() < REST
        {
            return usable.ok_or_else(|| line.clone());
        }
        let asked = self.ask(&kept.scope).await.and_then(|token| {
            if lasts(&token, USABLE) {
                Ok(token)
            } else {
                Err(format!(
                    "the token for {} has expired when it was given out: is this machine's clock right?",
                    self.called
                ))
            }
        });
        match asked {
            Ok(token) => {
                kept.token = Some(token.clone());
                kept.failed = None;
                Ok(token)
            }
            Err(line) => {
                kept.failed = Some((Instant::now(), line.clone()));
                if usable.is_some() {
                    tracing::warn!("the old token is used as long as it lasts: {line}");
                }
                usable.ok_or(line)
            }
        }
    }

    /// Asks for a token, again where the fault may pass, all within the limit.
    async fn ask(&self, scope: &str) -> std::result::Result<AccessToken, String> {
        let asking = async {
            let mut pause = PAUSE;
            let mut tries = 1;
            loop {
                match self.source.get_token(&[scope], None).await {
                    Ok(token) => return Ok(token),
                    Err(error) if tries < TRIES && failure::passes(&error, self.kind) => {
                        tokio::time::sleep(pause).await;
                        pause *= 2;
                        tries += 1;
                    }
                    Err(error) => return Err(failure::told(&error, self.kind, &self.called)),
                }
            }
        };
        tokio::time::timeout(LIMIT, asking)
            .await
            .unwrap_or_else(|_| Err(failure::late(self.kind, &self.called, LIMIT)))
    }
}

/// The kind says that asking again is of no use: that was done here.
fn refused(line: String) -> Error {
    Error::with_message(ErrorKind::Credential, line)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Gives out tokens that last as long as is said, or fails.
    #[derive(Debug)]
    struct Source {
        asked: AtomicU32,
        lasts: std::sync::Mutex<std::result::Result<Duration, ErrorKind>>,
    }

    #[async_trait]
    impl TokenCredential for Source {
        async fn get_token(
            &self,
            _: &[&str],
            _: Option<TokenRequestOptions<'_>>,
        ) -> Result<AccessToken> {
            let asked = self.asked.fetch_add(1, Ordering::SeqCst);
            match &*self.lasts.lock().unwrap() {
                Ok(lasts) => Ok(AccessToken::new(
                    format!("token{asked}"),
                    OffsetDateTime::now_utc() + *lasts,
                )),
                Err(kind) => Err(Error::with_message(kind.clone(), "token-secret\nline")),
            }
        }
    }

    fn tokens(lasts: std::result::Result<Duration, ErrorKind>) -> (Arc<Source>, Tokens) {
        let source = Arc::new(Source {
            asked: AtomicU32::new(0),
            lasts: std::sync::Mutex::new(lasts),
        });
        let tokens = Tokens {
            source: source.clone(),
            kind: IdentityKind::Managed,
            called: "Data".to_owned(),
            kept: Mutex::default(),
        };
        (source, tokens)
    }

    #[tokio::test]
    async fn a_token_is_kept_and_renewed_in_time() {
        let (source, tokens) = tokens(Ok(Duration::from_hours(1)));
        for _ in 0..3 {
            let token = tokens.get_token(&["a"], None).await.unwrap();
            assert_eq!(token.token.secret(), "token0");
        }
        let other = tokens.get_token(&["b"], None).await.unwrap();
        assert_eq!(other.token.secret(), "token1");
        // One that is about to expire is replaced; where that fails, it is used while it lasts.
        let (source2, tokens) = self::tokens(Ok(Duration::from_mins(2)));
        tokens.get_token(&["a"], None).await.unwrap();
        *source2.lasts.lock().unwrap() = Err(ErrorKind::Credential);
        let token = tokens.get_token(&["a"], None).await.unwrap();
        assert_eq!(token.token.secret(), "token0");
        assert_eq!(source.asked.load(Ordering::SeqCst), 2);
        assert!(!format!("{tokens:?}").contains("token0"));
    }

    #[tokio::test]
    async fn an_expired_token_and_a_failure_are_told_and_not_repeated_at_once() {
        let (source, tokens) = tokens(Ok(Duration::ZERO));
        for _ in 0..2 {
            let error = tokens.get_token(&["a"], None).await.unwrap_err();
            assert!(error.to_string().contains("has expired"), "{error}");
        }
        assert_eq!(source.asked.load(Ordering::SeqCst), 1);
        let (source, tokens) = self::tokens(Err(ErrorKind::Connection));
        let error = tokens.get_token(&["a"], None).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Credential));
        let line = error.to_string();
        assert!(!line.contains('\n') && !line.contains("secret"), "{line}");
        assert_eq!(source.asked.load(Ordering::SeqCst), TRIES);
        assert!(tokens.get_token(&[], None).await.is_err());
    }

    #[test]
    fn what_is_missing_is_named() {
        let refused = |identity: &Identity| {
            let error = credential(identity, "Data").unwrap_err();
            let line = format!("{error:#}");
            assert!(!line.contains('\n'), "{line}");
            line
        };
        let mut identity = Identity::new(IdentityKind::Workload);
        assert!(refused(&identity).contains("AZURE_FEDERATED_TOKEN_FILE"));
        identity.token_file = Some("/no/such/token".into());
        assert!(refused(&identity).contains("Data__clientId"));
        identity.client_id = Some("a".to_owned());
        assert!(refused(&identity).contains("Data__tenantId"));
        identity.tenant_id = Some("b".to_owned());
        assert!(refused(&identity).contains("/no/such/token"));
        let mut identity = Identity::new(IdentityKind::Managed);
        identity.client_id = Some("a".to_owned());
        identity.resource_id = Some("b".to_owned());
        assert!(refused(&identity).contains("both"));
        identity.client_id = Some("a b".to_owned());
        assert!(refused(&identity).contains("Data__clientId is no"));
    }
}
