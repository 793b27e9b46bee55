//! `septet azure check`: looks at a package.

use super::super::{args::Check, session::Origin};

/// Checks the package.
pub(crate) fn check(_origin: &Origin, _check: &Check) -> anyhow::Result<()> {
    anyhow::bail!("not here yet")
}
