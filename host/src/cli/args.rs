//! The command line's words: what may be typed, and the help that explains it.
//!
//! Owns names, defaults shown to the user and examples. It must not do any work.

mod azure;
mod distribution;
mod model;
mod new;
pub(crate) mod options;
mod queues;
mod run;
mod serve;
mod spin;
mod split;
mod store;
mod transform;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use septet::{contract::Stage, pipeline::Percent};
use serde::Deserialize;

pub(crate) use azure::{Apps, Azure, AzureCommand, Check, Package, Train};
pub(crate) use distribution::{Pull, Push, Registry};
pub(crate) use model::{Import, Models, ModelsCommand, Schema, SchemaCommand};
pub(crate) use new::{Language, New, NewCommand};
pub(crate) use queues::QueuesCommand;
pub(crate) use run::{Run, Split, Task};
pub(crate) use serve::{Serve, Share, Work};
pub(crate) use spin::{Compose, Spin, SpinCommand};
pub(crate) use split::SplitScript;
pub(crate) use store::{Gc, Store, StoreCommand};
pub(crate) use transform::{Transform, TransformCommand};

/// Split an ML script into seven sandboxed stages: ingest, preprocess, train, evaluate, deploy,
/// infer, monitor. Each is a WebAssembly component that can touch only what it was granted.
#[derive(Debug, Parser)]
#[command(
    name = "septet",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  septet demo                                   all seven stages on a small real data set
  septet run penguins.csv --target sex          from a CSV file to a deployed model
  septet predict new.csv --model penguins       rows to predictions
  septet monitor new.csv --model penguins       have the rows drifted from the training's?
  septet models rollback penguins               back to the version before"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Folder of the store: data, models, runs and queues [default: .septet, or `SEPTET_STORE`]. Or
    /// azure:NAME: the storage account of the connection NAME, which the environment has
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// File of settings [default: septet.toml where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON object on standard output instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say more on standard error; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// How log lines look
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One object a line
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run all seven stages on a small real data set and say what to try next
    Demo(Demo),
    /// Train on data, evaluate, and deploy the model if it passes the gate
    Run(Box<Run>),
    /// Predict the rows of a file with a deployed model
    Predict(Predict),
    /// Compare new rows with the ones a model was trained on
    Monitor(Monitor),
    /// Work off the queues and begin runs, until a signal
    Serve(Serve),
    /// Work off the queues of some stages or all, until a signal
    Work(Work),
    /// Run one stage alone on files, without a store
    Invoke(Invoke),
    /// List runs; show or cancel one
    Runs(Runs),
    /// List models; show, import, promote or roll back versions; read the alias log
    Models(Models),
    /// Show the schema that a model's data are held to, or accept another
    Schema(Schema),
    /// List the stages' components; show, export, check, swap, push or pull one, or go back
    Stages(Stages),
    /// Try a user's transform; add, list, show or remove one
    Transform(Transform),
    /// List queues; look into one, replay its poison messages or delete them
    Queues(Queues),
    /// See what a shadow, a component that is given copies of calls, answers otherwise
    Shadow(Shadow),
    /// Delete what nothing needs any more: blobs without a name, and old runs if told so
    Gc(Gc),
    /// Check a store, or make a key for an encrypted one
    Store(Store),
    /// Behind Azure Functions: write a package to deploy, or check one
    Azure(Azure),
    /// For Spin: compose each stage's untouched component with what it needs there
    Spin(Spin),
    /// Show what each stage may touch, and which grants were never used
    Grants,
    /// Take a script of Python apart: which lines are which stage, and settings to begin with
    Split(SplitScript),
    /// Begin a transform or a stage of your own: a small project that builds
    New(New),
    /// Write a septet.toml with every setting and what it means
    Init(Init),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Compile a component from standard input to standard output, within limits
    #[command(hide = true)]
    CompileComponent(CompileComponent),
}

/// `septet compile-component`: what the program says to itself.
#[derive(Debug, Args)]
pub(crate) struct CompileComponent {
    /// Bytes of address space
    pub(crate) memory: u64,
    /// Seconds of processor time
    pub(crate) cpu: u64,
}

/// `septet demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
The demo writes its data and its store into a folder of its own, so it can be run anywhere, and
again: the second time nothing is executed, everything is answered from the ledger.")]
pub(crate) struct Demo {
    /// Folder for the demo's data and store
    #[arg(long, value_name = "DIR", default_value = "septet-demo")]
    pub(crate) dir: PathBuf,
    /// Begin with an empty store: remove the one of an earlier demo in that folder first
    #[arg(long)]
    pub(crate) fresh: bool,
}

/// `septet predict`.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(after_help = "\
Examples:
  septet predict new.csv --model penguins > predictions.csv
  septet predict new.csv --model penguins@3 --output predictions.parquet
  septet predict today/ --model penguins --format jsonl")]
pub(crate) struct Predict {
    /// Files, quoted patterns or folders, with the columns the model was trained on
    #[arg(required = true, value_name = "DATA")]
    #[serde(skip)]
    pub(crate) data: Vec<PathBuf>,
    /// NAME (its champion), NAME@ALIAS or NAME@VERSION
    #[arg(long, value_name = "MODEL")]
    #[serde(skip)]
    pub(crate) model: String,
    /// Where predictions go: .csv, .jsonl, .parquet or .arrow [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) output: Option<PathBuf>,
    /// How predictions are written [default: as the output file is named, else csv]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
}

/// How predictions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Comma-separated values
    Csv,
    /// JSON Lines
    Jsonl,
    /// Apache Parquet
    Parquet,
    /// Arrow's file format
    Arrow,
}

impl Format {
    /// As infer's parameter.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "json-lines",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }
}

/// `septet monitor`.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(after_help = "\
Examples:
  septet monitor today.csv --model penguins
  septet monitor today.csv --model penguins --labels sex --json | jq .drifted")]
pub(crate) struct Monitor {
    /// Files, quoted patterns or folders with new rows
    #[arg(required = true, value_name = "DATA")]
    #[serde(skip)]
    pub(crate) data: Vec<PathBuf>,
    /// NAME (its champion), NAME@ALIAS or NAME@VERSION
    #[arg(long, value_name = "MODEL")]
    #[serde(skip)]
    pub(crate) model: String,
    /// Column with the true values, where they are known: performance is reported too
    #[arg(long, value_name = "COL")]
    pub(crate) labels: Option<String>,
    /// Population stability index above which a column has drifted [default: 0.2]
    #[arg(long, value_name = "PSI")]
    pub(crate) threshold: Option<f64>,
    /// Fewest rows that anything is said of [default: 100]
    #[arg(long, value_name = "N")]
    pub(crate) min_rows: Option<u64>,
}

/// `septet invoke`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  septet invoke ingest --input source=penguins.csv --out out
  septet invoke preprocess --input table=out/table.arrow --param target=sex --out out2")]
pub(crate) struct Invoke {
    /// ingest, preprocess, train, evaluate, deploy, infer or monitor
    #[arg(value_name = "STAGE")]
    pub(crate) stage: Stage,
    /// An input artifact; may be given many times, the order counts
    #[arg(long = "input", value_name = "NAME=FILE")]
    pub(crate) inputs: Vec<String>,
    /// A parameter: JSON, or text where it is no JSON; may be given many times
    #[arg(long = "param", value_name = "K=V")]
    pub(crate) parameters: Vec<String>,
    /// A transform that the stage applies: a component's FILE.wasm; may be given many times
    #[arg(long = "transform", value_name = "FILE")]
    pub(crate) transforms: Vec<String>,
    /// Run this component instead of the built-in one
    #[arg(long, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
    /// For all randomness
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// New or empty folder for outcome.json and the output artifacts
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// `septet runs`.
#[derive(Debug, Args)]
pub(crate) struct Runs {
    #[command(subcommand)]
    pub(crate) command: Option<RunsCommand>,
}

/// What to do with runs.
#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// List the newest runs; so does `septet runs` alone
    List,
    /// Show one run: its stages, metrics and notes
    Show {
        /// Its identifier, or enough of its beginning to tell it from the others
        #[arg(value_name = "RUN")]
        run: String,
    },
    /// End a run before it is done; whoever works on it stops within seconds
    Cancel {
        /// Its identifier, or enough of its beginning to tell it from the others
        #[arg(value_name = "RUN")]
        run: String,
    },
}

/// `septet stages`.
#[derive(Debug, Args)]
pub(crate) struct Stages {
    #[command(subcommand)]
    pub(crate) command: Option<StagesCommand>,
}

/// What to do with stages.
#[derive(Debug, Subcommand)]
pub(crate) enum StagesCommand {
    /// Show a stage's component: digest, size, imports, exports, grants
    Show {
        /// ingest, preprocess, train, evaluate, deploy, infer or monitor
        #[arg(value_name = "STAGE")]
        stage: Stage,
    },
    /// Put a component in the place of a stage's, while everything goes on
    Swap(Swap),
    /// List what happened to the stages: swaps, and what was refused at which step
    History {
        /// Only this stage
        #[arg(value_name = "STAGE")]
        stage: Option<Stage>,
    },
    /// Undo the last change of a stage: end its canary, or put the component before into force
    Rollback {
        /// ingest, preprocess, train, evaluate, deploy, infer or monitor
        #[arg(value_name = "STAGE")]
        stage: Stage,
        /// Why, for the history
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Put a stage's canary into force, or where there is none its shadow
    Promote(Promote),
    /// Write the components in force as files, STAGE.wasm, for other programs that run them
    Export {
        /// Only these stages [default: all seven]
        #[arg(value_name = "STAGE")]
        stages: Vec<Stage>,
        /// Folder for them; made if it is missing
        #[arg(long, value_name = "DIR", default_value = "stages")]
        out: PathBuf,
    },
    /// Send a stage's component to a registry
    Push(Push),
    /// Fetch a component from a registry: into a file, or in the place of a stage's
    Pull(Pull),
    /// Say which stages a component file fits, or why it fits none
    Check {
        /// The component
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Check it for this stage only
        #[arg(long, value_name = "STAGE")]
        stage: Option<Stage>,
    },
}

/// `septet stages swap`.
#[derive(Debug, Args)]
#[command(after_help = "\
The component is refused at the first step that it does not pass, and what was in force goes on:
  size, pin, signature, compile, world, grants, golden (calls that are known), answers, store

Examples:
  septet stages swap train train.wasm
  septet stages swap infer infer.wasm --same-answers --canary 10%
  septet stages swap train --builtin")]
pub(crate) struct Swap {
    /// ingest, preprocess, train, evaluate, deploy, infer or monitor
    #[arg(value_name = "STAGE")]
    pub(crate) stage: Stage,
    /// The component; FILE.minisig beside it is its signature
    #[arg(value_name = "FILE", required_unless_present = "builtin")]
    pub(crate) file: Option<PathBuf>,
    /// Refuse it where it answers otherwise than what is in force
    #[arg(long)]
    pub(crate) same_answers: bool,
    /// Do not put it into force, but let it answer this share of the calls
    #[arg(long, value_name = "PERCENT")]
    pub(crate) canary: Option<Percent>,
    /// Do not put it into force, but give it copies of this share of the calls
    #[arg(long, value_name = "PERCENT")]
    pub(crate) shadow: Option<Percent>,
    /// Go back to the component that is built in; for infer, to each model's own. With --shadow, give
    /// that one copies of all calls
    #[arg(long, conflicts_with_all = ["file", "same_answers", "canary"])]
    pub(crate) builtin: bool,
}

/// `septet stages promote`.
#[derive(Debug, Args)]
#[command(after_help = "\
A shadow comes into force when it has answered the last calls as what is in force has: see
`septet shadow report STAGE`. A canary comes into force when you say so.")]
pub(crate) struct Promote {
    /// ingest, preprocess, train, evaluate, deploy, infer or monitor
    #[arg(value_name = "STAGE")]
    pub(crate) stage: Stage,
    /// Why, for the history
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
    /// Matches in a row that a shadow needs [default: 3, or as in septet.toml]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) matches: Option<u64>,
    /// Promote a shadow whatever it has answered; it takes a reason
    #[arg(long, requires = "reason")]
    pub(crate) force: bool,
}

/// `septet shadow`.
#[derive(Debug, Args)]
pub(crate) struct Shadow {
    #[command(subcommand)]
    pub(crate) command: ShadowCommand,
}

/// What to do with shadows.
#[derive(Debug, Subcommand)]
pub(crate) enum ShadowCommand {
    /// Tell what the shadow of a stage answers otherwise, and what it takes
    Report {
        /// ingest, preprocess, train, evaluate, deploy, infer or monitor
        #[arg(value_name = "STAGE")]
        stage: Stage,
        /// Say of each column whether it would be alike within this tolerance
        #[arg(long, value_name = "NUMBER", value_parser = tolerance)]
        tolerance: Option<f64>,
    },
}

/// A tolerance: a number from 0 on.
fn tolerance(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    let number = number.filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "give a number from 0 on, as 1e-6".to_owned())
}

/// `septet queues`.
#[derive(Debug, Args)]
pub(crate) struct Queues {
    #[command(subcommand)]
    pub(crate) command: Option<QueuesCommand>,
}

/// `septet init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Write over an existing file
    #[arg(long)]
    pub(crate) force: bool,
}

/// `septet completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: Shell,
}
