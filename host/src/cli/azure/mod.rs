//! `septet azure`: what is for Azure Functions.
//!
//! # Layout
//! - `package`: writes the folder that is deployed. - `check`: looks at one.

mod check;
mod package;

use super::{
    args::{Azure, AzureCommand},
    session::Origin,
};

/// Does what was asked for.
pub(crate) fn azure(origin: &Origin, azure: &Azure) -> anyhow::Result<()> {
    match &azure.command {
        AzureCommand::Package(package) => package::package(origin, package),
        AzureCommand::Check(check) => check::check(origin, check),
    }
}
