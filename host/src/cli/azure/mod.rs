//! `septet azure`: what is for Azure Functions.
//!
//! # Layout
//! - `handle`: answers the Functions host.
//! - `package`: writes the folder that is deployed. - `check`: looks at one.

mod check;
mod handle;
mod package;

use super::{
    args::{Azure, AzureCommand},
    session::Origin,
};

/// Does what was asked for.
pub(crate) async fn azure(origin: Origin, azure: &Azure) -> anyhow::Result<()> {
    match &azure.command {
        AzureCommand::Handle => handle::handle(origin).await,
        AzureCommand::Package(package) => package::package(&origin, package),
        AzureCommand::Check(check) => check::check(&origin, check),
    }
}
