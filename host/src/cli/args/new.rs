//! The words of `septet new`.

use clap::{Args, Subcommand, ValueEnum};
use septet::contract::Stage;

/// `septet new`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  septet new transform bill-ratio --lang python
  septet new stage monitor --lang rust my-monitor")]
pub(crate) struct New {
    #[command(subcommand)]
    pub(crate) what: NewCommand,
}

/// What to begin.
#[derive(Debug, Subcommand)]
pub(crate) enum NewCommand {
    /// A transform of your own: rows with more, fewer or other columns, before training and before
    /// each prediction
    Transform {
        #[command(flatten)]
        project: NewProject,
    },
    /// A whole stage of your own
    Stage {
        /// ingest, preprocess, train, evaluate, deploy, infer or monitor
        #[arg(value_name = "STAGE")]
        stage: Stage,
        #[command(flatten)]
        project: NewProject,
    },
}

/// Which project, and how it is called.
#[derive(Debug, Args)]
pub(crate) struct NewProject {
    /// What it is written in
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    pub(crate) lang: Language,
    /// The project, and its new folder here: lower-case letters, digits and '-'
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// A language that there are templates for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// Built by cargo
    Rust,
    /// Built by componentize-py
    Python,
    /// Built by componentize-js
    #[value(name = "javascript", alias = "js")]
    JavaScript,
}

impl Language {
    /// As it is written.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Python => "Python",
            Self::JavaScript => "JavaScript",
        }
    }
}
