//! What is known of a storage account before anything is asked of it: where it is and how one is
//! let in.
//!
//! It is pure: settings and the environment are read elsewhere, and no request is made here. No
//! text of this module has any of a key or a signature, debug output included.

use std::{fmt, path::PathBuf};

use anyhow::{bail, ensure};
use url::{Host, Url};
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
    /// The identity's path in the cloud's own tree, instead of a client's identifier.
    pub resource_id: Option<String>,
    /// The file whose token is exchanged, for [`IdentityKind::Workload`].
    pub token_file: Option<PathBuf>,
}

impl Identity {
    /// The only identity of its kind, or the default one.
    pub fn new(kind: IdentityKind) -> Self {
        Self {
            kind,
            client_id: None,
            tenant_id: None,
            resource_id: None,
            token_file: None,
        }
    }
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

/// The suffix of a storage account's addresses where no other is named.
const PUBLIC_SUFFIX: &str = "core.windows.net";

/// Longest address of a service.
const MAX_ADDRESS: usize = 2048;

impl Connection {
    /// The account's services, asked by an identity. A token opens whatever its identity may, so it
    /// is sent over TLS alone, to this machine too.
    pub fn with_identity(
        name: &str,
        blob: Url,
        queue: Url,
        identity: Identity,
    ) -> anyhow::Result<Self> {
        for url in [&blob, &queue] {
            ensure!(
                url.scheme() == "https",
                "connection {name}: {url} is not https, and a token is sent over https alone"
            );
        }
        Ok(Self {
            name: name.to_owned(),
            blob,
            queue,
            access: Access::Token(identity),
        })
    }
}

/// The address of the `service` (`blob`, `queue`) of an account, as public clouds build it.
pub fn service_address(account: &str, service: &str) -> anyhow::Result<Url> {
    built("https", account, service, PUBLIC_SUFFIX)
}

/// As [`service_address`], in another cloud.
pub(super) fn built(
    scheme: &str,
    account: &str,
    service: &str,
    suffix: &str,
) -> anyhow::Result<Url> {
    check_account(account)?;
    // Nothing but letters of a host's name: no port, path or user can come in by a suffix.
    let fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    ensure!(
        suffix.len() <= 200 && suffix.split('.').all(fits),
        "the suffix of the addresses is no name of a domain, as {PUBLIC_SUFFIX}"
    );
    Ok(Url::parse(&format!(
        "{scheme}://{account}.{service}.{suffix}/"
    ))?)
}

/// A storage account's name has 3 to 24 small letters and digits.
pub(super) fn check_account(account: &str) -> anyhow::Result<()> {
    // What is no name is not shown: a key may stand in its place.
    ensure!(
        (3..=24).contains(&account.len())
            && account
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
        "the account's name has to have 3 to 24 small letters and digits"
    );
    Ok(())
}

/// The address of a service as somebody wrote it: absolute, with neither a user nor a query, in
/// which secrets would travel to logs.
pub fn address(text: &str) -> anyhow::Result<Url> {
    ensure!(
        text.len() <= MAX_ADDRESS,
        "the address is longer than {MAX_ADDRESS} bytes"
    );
    // The text is not shown: it may hold a signature.
    let Ok(url) = Url::parse(text) else {
        bail!("this is no address, as https://ACCOUNT.blob.{PUBLIC_SUFFIX}");
    };
    ensure!(
        matches!(url.scheme(), "https" | "http") && url.has_host(),
        "the address begins with neither https:// nor http://"
    );
    ensure!(
        url.username().is_empty() && url.password().is_none(),
        "the address names a user: take that away"
    );
    ensure!(
        url.query().is_none() && url.fragment().is_none(),
        "the address has a query: a signature goes into SharedAccessSignature of a connection string"
    );
    Ok(url)
}

/// Whether the address is this machine's own, so that what is sent there is not seen outside.
pub(super) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}
