//! `septet stages push` and `pull`.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use septet::{contract::Stage, pipeline::Percent};

/// `septet stages push`.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints the address with the digest: whoever pulls that gets this very component, whatever happens to
the tag. FILE.minisig beside FILE goes along.

Examples:
  septet stages push train oci://localhost:5000/septet/train:1.0.0
  septet stages push train oci://ghcr.io/me/train:2 --component train.wasm")]
pub(crate) struct Push {
    /// ingest, preprocess, train, evaluate, deploy, infer or monitor
    #[arg(value_name = "STAGE")]
    pub(crate) stage: Stage,
    /// `oci://HOST[:PORT]/REPO[:TAG]`; without a tag it is found by its digest alone
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,
    /// This component, and not the one that is built in
    #[arg(long, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// `septet stages pull`.
#[derive(Debug, Args)]
#[command(after_help = "\
With --swap the component goes through the steps of `septet stages swap`. With --out it is a file,
and its signature lies beside it.

Examples:
  septet stages pull oci://localhost:5000/septet/train:1.0.0 --out train.wasm
  septet stages pull oci://localhost:5000/septet/train@sha256:… --swap train --canary 10%")]
pub(crate) struct Pull {
    /// `oci://HOST[:PORT]/REPO:TAG`, or `@sha256:…`, or both: the tag must be that digest then
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,
    /// Where it goes [default: the last part of REPO, with .wasm]
    #[arg(long, value_name = "FILE", conflicts_with = "swap")]
    pub(crate) out: Option<PathBuf>,
    /// Write over an existing file
    #[arg(long, conflicts_with = "swap")]
    pub(crate) force: bool,
    /// Put it in the place of this stage's component
    #[arg(long, value_name = "STAGE")]
    pub(crate) swap: Option<Stage>,
    /// Refuse it where it answers otherwise than what is in force
    #[arg(long, requires = "swap")]
    pub(crate) same_answers: bool,
    /// Do not put it into force, but let it answer this share of the calls
    #[arg(long, value_name = "PERCENT", requires = "swap")]
    pub(crate) canary: Option<Percent>,
    /// Do not put it into force, but give it copies of this share of the calls
    #[arg(long, value_name = "PERCENT", requires = "swap")]
    pub(crate) shadow: Option<Percent>,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// How a registry is spoken to.
#[derive(Clone, Debug, Args)]
pub(crate) struct Registry {
    /// Speak to a registry on another machine without TLS: anybody on the way can read and change
    #[arg(long)]
    pub(crate) plain_http: bool,
    /// Seconds that it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

impl Registry {
    /// How long it may take.
    pub(crate) const fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}
