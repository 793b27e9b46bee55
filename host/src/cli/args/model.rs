//! The words of `septet models` and `septet schema`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Task;

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
    /// Make a version of an ONNX model, as skl2onnx writes them: served in the sandbox like any other
    #[command(after_help = "Examples:
  septet models import churn.onnx --name churn --data train.csv --target churned --promote
  septet models import prices.onnx --name prices --columns rooms,area,age")]
    Import(Import),
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

/// `septet models import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The model
    #[arg(value_name = "FILE.onnx")]
    pub(crate) file: PathBuf,
    /// The model's name in the registry
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// The rows that it was trained on: what later rows are compared with, and a test of it
    #[arg(long, value_name = "FILE", requires = "target")]
    pub(crate) data: Option<PathBuf>,
    /// The column of the data that it predicts
    #[arg(long, value_name = "COL")]
    pub(crate) target: Option<String>,
    /// What it predicts [default: classes, where the model names some]
    #[arg(long, value_enum)]
    pub(crate) task: Option<Task>,
    /// Of two classes, the one that is looked for
    #[arg(long, value_name = "CLASS")]
    pub(crate) positive: Option<String>,
    /// The columns of a model that takes one matrix, in its order [default: the data's]
    #[arg(long, value_name = "COL,…", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// Make it the champion, too
    #[arg(long)]
    pub(crate) promote: bool,
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
