//! The words of `septet spin`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use septet::package::spin::App;

/// `septet spin`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  septet spin compose                           all, into target/spin
  septet spin compose infer --transform ratio.wasm
  septet spin compose train --component train=my-train.wasm")]
pub(crate) struct Spin {
    #[command(subcommand)]
    pub(crate) command: SpinCommand,
}

/// What to do for Spin.
#[derive(Debug, Subcommand)]
pub(crate) enum SpinCommand {
    /// Compose a stage's untouched component with what it needs on Spin: one file a stage, for spin.toml
    Compose(Compose),
}

/// `septet spin compose`.
#[derive(Debug, Args)]
pub(crate) struct Compose {
    /// front, serving, ingest, preprocess, train, evaluate, deploy, infer or monitor [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) apps: Vec<App>,
    /// A transform that runs may name: NAME or NAME@VERSION, as `septet transform add` took it, or a
    /// component's FILE.wasm; may be given many times
    #[arg(long = "transform", value_name = "NAME|FILE")]
    pub(crate) transforms: Vec<String>,
    /// A stage's component instead of the built-in one; may be given many times. The one of infer is
    /// also what evaluate and deploy have models predicted with
    #[arg(long = "component", value_name = "STAGE=FILE")]
    pub(crate) components: Vec<String>,
    /// Folder for the files; it is made if need be
    #[arg(long, value_name = "DIR", default_value = "target/spin")]
    pub(crate) out: PathBuf,
}
