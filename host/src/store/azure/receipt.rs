//! The proof of a lease, as it is handed out: all that is needed to end the lease, so that another
//! process can.

use std::fmt;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// The proof of a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "lowercase")]
pub(super) enum Receipt {
    /// Of a message with a card.
    Card {
        /// The proof on the card.
        lease: String,
        /// The card as it was received.
        version: String,
        /// The service's name of the message.
        ticket: String,
        /// The key to it at the service.
        pop: String,
        /// Whether somebody else holds it at the service.
        adopted: bool,
    },
    /// Of a message that another wrote, without a card.
    Foreign {
        /// As above.
        ticket: String,
        /// As above.
        pop: String,
        /// As above.
        adopted: bool,
    },
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Receipt {
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        serde_json::from_str(text).context("this is no receipt of a message of this store")
    }
}
