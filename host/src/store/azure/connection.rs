//! What is known of a storage account before anything is asked of it: where it is and how one is
//! let in.
//!
//! It is pure: settings and the environment are read elsewhere, and no request is made here. No
//! text of this module has any of a key or a signature, debug output included.

use std::fmt;

use url::Url;
use zeroize::Zeroizing;

/// A storage account's two services, and the way into them.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The name that the connection goes by in settings, for what is told to a user.
    pub name: String,
    /// The blob service's address, without a query.
    pub blob: Url,
    /// The queue service's address, without a query.
    pub queue: Url,
    /// How one is let in.
    pub access: Access,
}

/// How one is let in.
#[derive(Clone)]
pub enum Access {
    /// With the account's key: every request is signed.
    SharedKey {
        /// The account's name.
        account: String,
        /// The key, decoded.
        key: Zeroizing<Vec<u8>>,
    },
    /// With a shared access signature: the query that every address ends in, without `?`.
    Sas(Zeroizing<String>),
    /// As an identity that the directory knows.
    Token(Identity),
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SharedKey { account, .. } => write!(f, "SharedKey({account}, …)"),
            Self::Sas(_) => f.write_str("Sas(…)"),
            Self::Token(identity) => write!(f, "Token({identity:?})"),
        }
    }
}

/// Who asks for tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Where its tokens come from.
    pub kind: IdentityKind,
    /// The client's identifier, where it is not the only one or the default.
    pub client_id: Option<String>,
    /// The directory, where it is not the default.
    pub tenant_id: Option<String>,
}

/// Where an identity's tokens come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityKind {
    /// The platform's own endpoint for the instance.
    Managed,
    /// A token file that the platform keeps fresh.
    Workload,
    /// The user's Azure CLI.
    AzureCli,
}
