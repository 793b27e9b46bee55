//! The words of the commands that look after a store.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};

/// `septet gc`.
#[derive(Debug, Args)]
#[command(after_help = "\
It may run at any time, also beside `septet serve`, workers and another `septet gc`.

Examples:
  septet gc --dry-run                           what would go
  septet gc --forget 90d                        and runs that ended so long ago")]
pub(crate) struct Gc {
    /// Say what would be deleted, and delete nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Leave what was used within this time; longer than any call of a stage takes
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = humantime::parse_duration)]
    pub(crate) grace: Duration,
    /// Forget runs that ended so long ago, unless a model's log, another run or a message set
    /// aside needs them
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) forget: Option<Duration>,
}

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
    /// Check every blob, record, model and queue; changes nothing
    Verify,
}
