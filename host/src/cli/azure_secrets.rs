//! Secrets that the settings only refer to: fetched where they are needed, and kept fresh.

use std::time::Duration;

use anyhow::Context as _;
use septet::{
    secret::{Reference, Secret, Secrets},
    store::StoreKey,
    trigger::http::{HttpSettings, Key},
};

use super::session::Origin;
use crate::config::{azure, key::Given};

impl Origin {
    /// The key of the store, if one is set. It is fetched once: what is encrypted with it stays so.
    pub(crate) async fn store_key(&self) -> anyhow::Result<Option<StoreKey>> {
        let key_file = self.settings.encryption.key_file.as_deref();
        let reference = match self.environment.store_key.key(key_file)? {
            None => return Ok(None),
            Some(Given::Secret(key)) => return Ok(Some(key)),
            Some(Given::Reference(reference)) => reference,
        };
        let secret = azure::secrets()?.get(&reference).await;
        let secret = secret.context("the store's key can't be had")?;
        let key = StoreKey::parse(secret.text());
        Ok(Some(key.with_context(|| format!("{reference} is no key"))?))
    }

    /// What is served over HTTP, with the key fetched where a vault has it, and followed: a new one
    /// is good without a restart.
    pub(crate) async fn http(&self) -> anyhow::Result<HttpSettings> {
        let settings = self.settings.http.settings()?;
        let reference = self.settings.http.reference()?;
        if let (Some(reference), Some(key)) = (reference, &settings.key) {
            let refresh = azure::refreshed()?;
            follow(azure::secrets()?, reference, key.clone(), refresh).await?;
        }
        Ok(settings)
    }
}

/// Fetches the key, and then looks for another from time to time.
async fn follow(
    secrets: Secrets,
    reference: Reference,
    key: Key,
    refresh: Duration,
) -> anyhow::Result<()> {
    let secret = secrets.get(&reference).await;
    let secret = secret.context("the key of [http] can't be had")?;
    // All servers have seen a new key after one refresh; after another, the clients, too.
    let overlap = refresh * 2;
    let taken = key.replace(secret.text(), overlap);
    taken.with_context(|| format!("{reference} can't be used"))?;
    tokio::spawn(async move {
        let tell = |told: anyhow::Result<Secret>| {
            let changed = told.and_then(|secret| key.replace(secret.text(), overlap));
            match changed {
                Ok(()) => {
                    tracing::info!("{reference} has changed: the new key is good from now on");
                }
                // Withdrawn, or replaced by what can't be a key: nobody wants the old one any more.
                Err(error) => {
                    key.withdraw();
                    tracing::error!(
                        "{reference} is no key any more, so nobody is let in: {error:#}"
                    );
                }
            }
        };
        secrets.follow(&reference, Some(secret), tell).await;
    });
    Ok(())
}
