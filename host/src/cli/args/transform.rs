//! The words of `septet transform`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `septet transform`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  septet new transform ratio --lang python      a small project to begin with
  septet transform check ratio.wasm --sample new.csv
  septet transform add ratio.wasm --name ratio
  septet run new.csv --target y --transform ratio")]
pub(crate) struct Transform {
    #[command(subcommand)]
    pub(crate) command: TransformCommand,
}

/// What to do with transforms.
#[derive(Debug, Subcommand)]
pub(crate) enum TransformCommand {
    /// Try a component: what it is, what it does to rows, and whether it keeps the contract
    Check {
        /// A component of the world user-transform
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Rows to try it on: .csv, .jsonl or .parquet [default: rows made up from what it needs]
        #[arg(long, value_name = "DATA")]
        sample: Option<PathBuf>,
    },
    /// Try a component, and keep it in the store under a name; another one is a new version
    Add {
        /// A component of the world user-transform; its signature is looked for in FILE.minisig
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Lower-case letters, digits, '-' and '_' [default: as the file is called]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Rows to try it on: .csv, .jsonl or .parquet [default: rows made up from what it needs]
        #[arg(long, value_name = "DATA")]
        sample: Option<PathBuf>,
    },
    /// List the names and what they stand for
    List,
    /// Show a transform: what was found when it was tried, and its versions
    Show {
        /// NAME (its newest version) or NAME@VERSION
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Take a name away; models that were trained with the transform go on
    Remove {
        /// NAME
        #[arg(value_name = "NAME")]
        name: String,
    },
}
