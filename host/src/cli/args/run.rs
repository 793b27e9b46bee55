//! The words of `septet run`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::options::{many, pairs, settings};

/// `septet run`.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(after_help = "\
Examples:
  septet run penguins.csv --target sex
  septet run 2024.csv 2025.csv --target price --algorithm random-forest --param n_estimators=200
  septet run 'days/*.csv' --target churned --name churn --time day --window 90d
  septet run visits/ --target outcome --group patient --drop note
  septet run data.csv --target label --json | jq .metrics.roc_auc")]
pub(crate) struct Run {
    /// Files, quoted patterns or folders: the parts of one data set, in order
    #[arg(required = true, value_name = "DATA")]
    #[serde(skip)]
    pub(crate) data: Vec<PathBuf>,
    /// Column to predict [required here or in septet.toml]
    #[arg(long, value_name = "COL")]
    pub(crate) target: Option<String>,
    /// What kind of prediction it is [default: auto, decided by the target's values]
    #[arg(long, value_enum, value_name = "TASK")]
    pub(crate) task: Option<Task>,
    /// The model's name [default: the first file's name]
    #[arg(long, value_name = "NAME")]
    #[serde(skip)]
    pub(crate) name: Option<String>,
    /// How the data are learned from, as logistic-regression, random-forest or auto [default: by task]
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) algorithm: Option<String>,
    /// A parameter of the algorithm; may be given many times
    #[arg(long = "param", value_name = "K=V")]
    #[serde(rename = "param", deserialize_with = "pairs")]
    pub(crate) parameters: Vec<String>,
    /// For all randomness; the same seed gives the same bytes [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Only put the run into the queues: those who serve the store do the work
    #[arg(long)]
    #[serde(skip)]
    pub(crate) detach: bool,
    /// Make the model champion whatever the gate says (the verdict is kept on record)
    #[arg(long)]
    pub(crate) promote: bool,

    /// Which rows are kept for the evaluation; the model's first run decides [default: hash]
    #[arg(long, value_enum, value_name = "KIND", help_heading = "Split")]
    pub(crate) split: Option<Split>,
    /// Share of the rows that are kept for the evaluation [default: 0.2]
    #[arg(long, value_name = "SHARE", help_heading = "Split")]
    pub(crate) test_share: Option<f64>,
    /// Column that says which row it is: a corrected row stays on its side [default: the whole row]
    #[arg(long, value_name = "COL", help_heading = "Split")]
    pub(crate) key: Option<String>,
    /// Rows with the same value in this column stay together (--split group)
    #[arg(long, value_name = "COL", help_heading = "Split")]
    pub(crate) group: Option<String>,
    /// Later rows by this column are the test (--split time, unless --split says another)
    #[arg(long, value_name = "COL", help_heading = "Split")]
    pub(crate) time: Option<String>,
    /// File with the test rows; may be given many times
    #[arg(long, value_name = "FILE", help_heading = "Split")]
    #[serde(deserialize_with = "many")]
    pub(crate) test: Vec<PathBuf>,

    /// Only rows of the last so many days by the --time column, as 90d
    #[arg(long, value_name = "TIME", help_heading = "Rows and columns")]
    pub(crate) window: Option<String>,
    /// Of two classes, the one that is looked for [default: the rarer one]
    #[arg(long, value_name = "LABEL", help_heading = "Rows and columns")]
    pub(crate) positive: Option<String>,
    /// Column with the weight of each row
    #[arg(long, value_name = "COL", help_heading = "Rows and columns")]
    pub(crate) weight: Option<String>,
    /// Weigh rows so that all classes count the same
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        help_heading = "Rows and columns"
    )]
    pub(crate) class_weight: Option<ClassWeight>,
    /// Column that is not used; may be given many times
    #[arg(long, value_name = "COL", help_heading = "Rows and columns")]
    #[serde(deserialize_with = "many")]
    pub(crate) drop: Vec<String>,
    /// JSON file with the columns and kinds that the data must have
    #[arg(long, value_name = "FILE", help_heading = "Rows and columns")]
    pub(crate) schema: Option<PathBuf>,
    /// A setting of preprocess, as numbers.scale=robust or columns.age.impute=median
    #[arg(
        long = "preprocess",
        value_name = "K=V",
        help_heading = "Rows and columns"
    )]
    #[serde(deserialize_with = "settings")]
    pub(crate) preprocess: Vec<String>,
    /// A transform that the rows go through: NAME or NAME@VERSION, as `septet transform add` took it,
    /// or a component's FILE.wasm; may be given many times, the order counts
    #[arg(
        long = "transform",
        value_name = "TRANSFORM",
        help_heading = "Rows and columns"
    )]
    #[serde(rename = "transform", deserialize_with = "many")]
    pub(crate) transforms: Vec<String>,

    /// Metric by which candidates and the champion are compared [default: by task]
    #[arg(long, value_name = "NAME", help_heading = "Evaluation")]
    pub(crate) metric: Option<String>,
    /// Probability from which a row is of the positive class [default: chosen in training]
    #[arg(long, value_name = "X", help_heading = "Evaluation")]
    pub(crate) threshold: Option<f64>,
    /// Whether the gate decides; with none a model is deployed with --promote only [default: default]
    #[arg(long, value_enum, value_name = "POLICY", help_heading = "Evaluation")]
    pub(crate) policy: Option<Policy>,
    /// Column for whose values the metrics are told apart
    #[arg(long, value_name = "COL", help_heading = "Evaluation")]
    pub(crate) slice: Option<String>,
}

impl Run {
    /// A run of one file with nothing else said.
    pub(crate) fn of(data: &Path, target: &str) -> Self {
        Self {
            data: vec![data.to_owned()],
            target: Some(target.to_owned()),
            ..Self::default()
        }
    }
}

/// The kind of prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Task {
    /// Decided by the target's values
    Auto,
    /// One of some classes
    Classification,
    /// A number
    Regression,
}

impl Task {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Classification => "classification",
            Self::Regression => "regression",
        }
    }
}

/// Which rows are kept for the evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Split {
    /// By the digest of the row or its key: the same row always on the same side
    Hash,
    /// As hash, of a column that rows have in common
    Group,
    /// The later rows
    Time,
}

impl Split {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Group => "group",
            Self::Time => "time",
        }
    }
}

/// How classes are weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClassWeight {
    /// Inversely to how frequent they are
    Balanced,
}

impl ClassWeight {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Balanced => "balanced",
        }
    }
}

/// Whether the gate decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Policy {
    /// Better than the baseline, and not worse than the champion by more than the margin
    Default,
    /// No verdict
    None,
}

impl Policy {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::None => "none",
        }
    }
}
