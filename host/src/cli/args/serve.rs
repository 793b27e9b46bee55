//! The words of `septet serve` and `septet work`.

use std::path::PathBuf;

use clap::Args;
use septet::contract::Stage;

/// `septet serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
It works off the queues of the store, and begins runs as septet.toml says. SIGTERM or Ctrl-C stops it:
what is begun is finished or, after the grace, handed back; a second one ends it at once. Whatever
happens to it, another one on the same store goes on.

Examples:
  septet serve
  septet serve --stages infer,monitor --store /var/lib/septet
  septet serve --stages-folder stages     stages/train.wasm takes the place of train, and so on")]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) work: Share,
    /// Folder of components that take the place of stages' when they are dropped there: train.wasm, …
    #[arg(long, value_name = "DIR")]
    pub(crate) stages_folder: Option<PathBuf>,
}

/// `septet work`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  septet work                            all stages
  septet work --stages train,evaluate    only these, beside others on the same store
  septet work --until-empty              end when nothing is left to do")]
pub(crate) struct Work {
    #[command(flatten)]
    pub(crate) share: Share,
    /// End when no run of the store is unfinished
    #[arg(long)]
    pub(crate) until_empty: bool,
}

/// What a process takes of the work of its store.
#[derive(Debug, Args)]
pub(crate) struct Share {
    /// Only these stages; others are left to other processes on the store [default: all]
    #[arg(long, value_name = "STAGES", value_delimiter = ',')]
    pub(crate) stages: Vec<Stage>,
    /// Invocations at once [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<usize>,
}
