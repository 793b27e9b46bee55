//! What is asked of a vault.

use std::time::Duration;

use async_trait::async_trait;

use super::{Reference, Secret};

/// Where secrets are fetched from.
#[async_trait]
pub trait Vaults: Send + Sync {
    /// The secret as it is now.
    async fn fetch(&self, reference: &Reference) -> Result<Secret, Refused>;
}

/// Why there is no secret, in one line without any of one.
#[derive(Clone, Debug)]
pub enum Refused {
    /// The vault said no: there is none, or not for us. What was known of it holds no more.
    No(String),
    /// The vault could not say: it is out of reach, or has too much to do.
    Later {
        /// What happened.
        why: String,
        /// When the vault wants to be asked again.
        after: Option<Duration>,
    },
}

impl Refused {
    /// What happened.
    pub fn why(&self) -> &str {
        match self {
            Self::No(why) | Self::Later { why, .. } => why,
        }
    }
}
