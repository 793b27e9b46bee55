//! The words of `septet split`.

use std::path::PathBuf;

use clap::Args;

/// `septet split`.
#[derive(Debug, Args)]
#[command(after_help = "\
The script is read and never run. Exports of notebooks are read, too.

Examples:
  septet split train.py                         which lines are which stage, and settings to begin with
  septet split train.py --out septet.toml       the same, and the settings into a file")]
pub(crate) struct SplitScript {
    /// A script of Python
    #[arg(value_name = "SCRIPT")]
    pub(crate) script: PathBuf,
    /// Where the proposed settings go; a file that is there is not written over
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The Python that reads the script: 3.9 or later, and new enough for the script
    #[arg(long, value_name = "PATH", default_value = "python3")]
    pub(crate) python: PathBuf,
}
