//! The words of `septet store`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `septet store`.
#[derive(Debug, Args)]
pub(crate) struct Store {
    #[command(subcommand)]
    pub(crate) command: StoreCommand,
}

/// What to do with a store, or for one.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Write a new random key for an encrypted store into a file that you alone can read
    Key {
        /// A file that is not there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}
