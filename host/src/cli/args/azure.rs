//! The words of `septet azure`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `septet azure`.
#[derive(Debug, Args)]
pub(crate) struct Azure {
    #[command(subcommand)]
    pub(crate) command: AzureCommand,
}

/// What to do about Azure.
#[derive(Debug, Subcommand)]
pub(crate) enum AzureCommand {
    /// Answer the Azure Functions host, which starts this in an app
    Handle,
    /// Write a folder with function apps, infrastructure and workflow, ready to be deployed
    Package(Package),
    /// Check such a folder, also after it was edited
    Check(Check),
}

/// `septet azure package`.
#[derive(Debug, Args)]
#[command(after_help = "\
The settings (--config, else septet.toml) go into every app: paths of files and secrets do not.

Examples:
  septet azure package --out azure --binary dist/septet
  septet azure package --out azure --binary dist/septet --train job
  septet azure check azure")]
pub(crate) struct Package {
    /// New or empty folder for the package
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Write over the files of an earlier package in that folder
    #[arg(long)]
    pub(crate) force: bool,
    /// An app and an identity for each stage, or one for all of them (for development)
    #[arg(long, value_enum, default_value_t = Apps::Stages, value_name = "HOW")]
    pub(crate) apps: Apps,
    /// Where the stage train runs: in its function app, or in a Container Apps job, which may take
    /// longer than a function app's grace
    #[arg(long, value_enum, default_value_t = Train::App, value_name = "WHERE")]
    pub(crate) train: Train,
    /// The septet that is shipped [default: the one that is running]
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: Option<PathBuf>,
    /// Newest glibc that the shipped septet may ask for
    #[arg(long, value_name = "VERSION", default_value = septet::package::azure::GLIBC)]
    pub(crate) glibc: String,
    /// An app setting whose value is a secret of the package's Key Vault; with @APP,… for these
    /// apps only; may be given many times
    #[arg(long = "secret", value_name = "SETTING=SECRET[@APP,…]")]
    pub(crate) secrets: Vec<String>,
}

/// How many function apps there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Apps {
    /// One for each stage
    Stages,
    /// One with all functions
    One,
}

/// Where the stage train runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Train {
    /// In its function app
    App,
    /// In a Container Apps job
    Job,
}

/// `septet azure check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each finding is a line: the file, what is wrong with it, and what to do. None is exit status 0.

Examples:
  septet azure check azure
  septet azure check azure --schemas schemas    with host.json and function.json of SchemaStore")]
pub(crate) struct Check {
    /// The folder that `septet azure package` wrote
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Newest glibc that the shipped septet may ask for
    #[arg(long, value_name = "VERSION", default_value = septet::package::azure::GLIBC)]
    pub(crate) glibc: String,
    /// Folder with published JSON schemas: host.json, function.json
    #[arg(long, value_name = "DIR")]
    pub(crate) schemas: Option<PathBuf>,
}
