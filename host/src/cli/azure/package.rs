//! `septet azure package`: writes the folder that is deployed.

use super::super::{args::Package, session::Origin};

/// Writes the package.
pub(crate) fn package(_origin: &Origin, _package: &Package) -> anyhow::Result<()> {
    anyhow::bail!("not here yet")
}
