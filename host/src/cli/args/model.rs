//! The words of `septet models` and `septet schema`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `septet models`.
#[derive(Debug, Args)]
pub(crate) struct Models {
    #[command(subcommand)]
    pub(crate) command: Option<ModelsCommand>,
}

/// What to do with models.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// Show a model's versions and aliases
    Show {
        /// NAME
        #[arg(value_name = "MODEL")]
        model: String,
    },
    /// Print a version's model card
    Card {
        /// NAME (its champion), NAME@ALIAS or NAME@VERSION
        #[arg(value_name = "MODEL")]
        model: String,
    },
    /// Make a version the champion, whatever the gate said; also one that was rolled back
    Promote {
        /// NAME@VERSION
        #[arg(value_name = "MODEL@VERSION")]
        model: String,
        /// Why, for the alias log
        #[arg(long, value_name = "TEXT", default_value = "promoted by hand")]
        reason: String,
    },
    /// Put the champion back to what it was before its last change
    Rollback {
        /// NAME
        #[arg(value_name = "MODEL")]
        model: String,
        /// Why, for the alias log
        #[arg(long, value_name = "TEXT", default_value = "rolled back by hand")]
        reason: String,
    },
    /// Show every change of a model's aliases and schema: when, who, from, to, gate and why
    Log {
        /// NAME
        #[arg(value_name = "MODEL")]
        model: String,
    },
}

/// `septet schema`.
#[derive(Debug, Args)]
pub(crate) struct Schema {
    #[command(subcommand)]
    pub(crate) command: SchemaCommand,
}

/// What to do with a model's schema.
#[derive(Debug, Subcommand)]
pub(crate) enum SchemaCommand {
    /// Show the columns that a model's data are held to, and what its last run's data would need
    Show {
        /// NAME
        #[arg(value_name = "MODEL")]
        model: String,
    },
    /// Hold a model's data to what its last run's data need, from the next run on
    Accept {
        /// NAME
        #[arg(value_name = "MODEL")]
        model: String,
        /// The run whose data decide [default: the model's last one]
        #[arg(long, value_name = "RUN", conflicts_with = "file")]
        run: Option<String>,
        /// A schema of your own instead
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Why, for the log
        #[arg(long, value_name = "TEXT", default_value = "accepted by hand")]
        reason: String,
    },
}
