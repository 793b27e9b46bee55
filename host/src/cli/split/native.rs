//! What of a script Septet's own components do: settings of preprocess and train, with the line that each came from.
//!
//! It must not name a setting that the stages do not have.

use std::collections::BTreeSet;

use septet::contract::Stage;
use serde::Serialize;
use serde_json::Value;

use super::analysis::{Analysis, Estimator, Imputed};

/// A setting that does what the script does.
#[derive(Debug, Serialize)]
pub(super) struct Setting {
    pub(super) stage: Stage,
    /// Below the stage's section.
    pub(super) path: Vec<String>,
    pub(super) value: Value,
    /// What in the script it stands for.
    pub(super) because: String,
}

/// What has no counterpart.
#[derive(Debug, Serialize)]
pub(super) struct Without {
    pub(super) line: u64,
    pub(super) why: String,
}

/// What there is of our own for a script.
#[derive(Debug, Default)]
pub(super) struct Native {
    pub(super) settings: Vec<Setting>,
    pub(super) without: Vec<Without>,
    pub(super) target: Option<String>,
    pub(super) task: Option<&'static str>,
    pub(super) seed: Option<u64>,
}

/// A line, in words.
pub(super) fn at(line: u64) -> String {
    format!("line {line}")
}

impl Native {
    /// What there is for this script.
    pub(super) fn of(found: &Analysis) -> Self {
        let mut native = Self {
            target: found.target.as_ref().map(|target| target.column.clone()),
            ..Self::default()
        };
        let (learners, shapers): (Vec<_>, Vec<_>) = found
            .estimators
            .iter()
            .partition(|made| made.role == "model");
        for learner in learners {
            native.learner(learner);
        }
        for shaper in &shapers {
            native.shaper(shaper);
        }
        native.frames(found);
        native.cut(found);
        let scaled = |setting: &Setting| setting.path.last().is_some_and(|name| name == "scale");
        if native.trains() && !native.settings.iter().any(scaled) {
            let none = Value::from("none");
            native.set(
                Stage::Preprocess,
                &["numbers", "scale"],
                none,
                "the script does not scale",
            );
        }
        native.without.sort_by_key(|without| without.line);
        native
    }

    /// Whether train has what the script learns by.
    pub(super) fn trains(&self) -> bool {
        self.settings
            .iter()
            .any(|setting| setting.stage == Stage::Train)
    }

    /// Sets it; false where it is set to something else already.
    pub(super) fn set(&mut self, stage: Stage, path: &[&str], value: Value, because: &str) -> bool {
        let same = |setting: &&Setting| setting.stage == stage && setting.path == path;
        if let Some(there) = self.settings.iter().find(same) {
            return there.value == value;
        }
        self.settings.push(Setting {
            stage,
            path: path.iter().map(|&name| name.to_owned()).collect(),
            value,
            because: because.to_owned(),
        });
        true
    }

    pub(super) fn without(&mut self, line: u64, why: String) {
        self.without.push(Without { line, why });
    }

    /// Sets it for all columns of a group, or else for the columns that are named.
    fn set_of(&mut self, group: &str, name: &str, value: &Value, made: &Estimator) {
        let because = format!("{}, {}", made.class, at(made.line));
        if self.set(Stage::Preprocess, &[group, name], value.clone(), &because) {
            return;
        }
        let columns = made.columns.clone().unwrap_or_default();
        if columns.is_empty() {
            let told = format!(
                "{}: {group}.{name} is set by another line already",
                made.class
            );
            self.without(made.line, told);
        }
        for column in columns {
            self.set(
                Stage::Preprocess,
                &["columns", &column, name],
                value.clone(),
                &because,
            );
        }
    }

    fn shaper(&mut self, made: &Estimator) {
        let parameter = |name: &str| made.parameters.get(name).filter(|value| !value.is_null());
        let text = |name: &str| parameter(name).and_then(Value::as_str);
        let known: &[&str] = match made.class.as_str() {
            "StandardScaler" | "MinMaxScaler" | "RobustScaler" => {
                let scale = match made.class.as_str() {
                    "StandardScaler" => "standard",
                    "MinMaxScaler" => "min-max",
                    _ => "robust",
                };
                self.set_of("numbers", "scale", &Value::from(scale), made);
                &[]
            }
            "SimpleImputer" => {
                self.imputer(made);
                &["strategy", "fill_value", "add_indicator"]
            }
            "OneHotEncoder" | "OrdinalEncoder" => {
                let one_hot = made.class == "OneHotEncoder";
                let encode = if one_hot { "one-hot" } else { "ordinal" };
                self.set_of("categories", "encode", &Value::from(encode), made);
                let unknown = match text("handle_unknown") {
                    None | Some("error") => Some("error"),
                    Some("ignore" | "warn") => Some("ignore"),
                    Some("infrequent_if_exist") => Some("other"),
                    Some(_) => None,
                };
                match unknown {
                    Some(unknown) => {
                        self.set_of("categories", "unknown", &Value::from(unknown), made);
                    }
                    None => self.without(
                        made.line,
                        format!("handle_unknown of {} has no counterpart", made.class),
                    ),
                }
                if let Some(most) = parameter("max_categories")
                    .and_then(Value::as_u64)
                    .filter(|most| *most > 0)
                {
                    self.set_of("categories", "max_categories", &Value::from(most), made);
                }
                &[
                    "handle_unknown",
                    "max_categories",
                    "sparse",
                    "sparse_output",
                    "dtype",
                ]
            }
            class => {
                let told = format!(
                    "{class} has no counterpart: keep preprocess external, or write a transform"
                );
                self.without(made.line, told);
                return;
            }
        };
        let given = made.parameters.keys().chain(&made.unknown);
        for name in given.filter(|name| !known.contains(&name.as_str()) && *name != "copy") {
            self.without(
                made.line,
                format!("{name} of {} has no counterpart", made.class),
            );
        }
    }

    fn imputer(&mut self, made: &Estimator) {
        let strategy = made
            .parameters
            .get("strategy")
            .and_then(Value::as_str)
            .unwrap_or("mean");
        let filled = made
            .parameters
            .get("fill_value")
            .filter(|value| !value.is_null());
        let impute = match strategy {
            "mean" | "median" | "constant" => strategy,
            "most_frequent" => "most-frequent",
            other => {
                self.without(
                    made.line,
                    format!("the strategy {other} of SimpleImputer has no counterpart"),
                );
                return;
            }
        };
        let numeric = matches!(strategy, "mean" | "median") || filled.is_some_and(Value::is_number);
        let guessed = if numeric { "numbers" } else { "categories" };
        let group = made
            .group
            .as_deref()
            .filter(|_| !matches!(strategy, "mean" | "median"))
            .unwrap_or(guessed);
        self.set_of(group, "impute", &Value::from(impute), made);
        if let Some(value) = filled.filter(|_| strategy == "constant") {
            let fits = if group == "numbers" {
                value.is_number()
            } else {
                value.is_string()
            };
            if fits {
                self.set_of(group, "fill_value", value, made);
            } else {
                self.without(
                    made.line,
                    format!("fill_value {value} does not fit columns of {group}"),
                );
            }
        }
        if made.parameters.get("add_indicator") == Some(&Value::Bool(true)) && group == "numbers" {
            self.set_of("numbers", "indicator", &Value::Bool(true), made);
        }
    }

    /// What is done with frames themselves.
    fn frames(&mut self, found: &Analysis) {
        let mut done = BTreeSet::new();
        for imputed in &found.imputes {
            if self.filled(imputed) {
                done.insert(imputed.line);
            }
        }
        if let Some(line) = found.dummies {
            let because = format!("get_dummies, {}", at(line));
            self.set(
                Stage::Preprocess,
                &["categories", "encode"],
                Value::from("one-hot"),
                &because,
            );
        }
        let target = self.target.clone();
        let dropped = found
            .drops
            .iter()
            .filter(|drop| Some(&drop.column) != target.as_ref());
        let dropped: Vec<_> = dropped.collect();
        done.extend(found.drops.iter().map(|drop| drop.line));
        if let Some(first) = dropped.first() {
            let names: Vec<Value> = dropped
                .iter()
                .map(|drop| Value::from(drop.column.as_str()))
                .collect();
            let because = format!("drop, {}", at(first.line));
            self.set(Stage::Preprocess, &["drop"], Value::Array(names), &because);
        }
        let mine = |what: &str| {
            what.contains("get_dummies")
                || ["takes", "applies", "fits", "makes"]
                    .iter()
                    .any(|word| what.starts_with(word))
        };
        let by_hand = found.events.iter().filter(|event| {
            event.stage == Stage::Preprocess
                && event.step == "transform"
                && !mine(&event.what)
                && !done.contains(&event.line)
        });
        let lines: BTreeSet<u64> = by_hand.map(|event| event.line).collect();
        for line in lines {
            self.without(line, "no setting does this: keep preprocess external, or write a transform (septet new transform)".to_owned());
        }
    }

    fn filled(&mut self, imputed: &Imputed) -> bool {
        let because = format!("fillna, {}", at(imputed.line));
        let how = Value::from(imputed.how.as_str());
        match &imputed.column {
            Some(column) => {
                self.set(
                    Stage::Preprocess,
                    &["columns", column, "impute"],
                    how,
                    &because,
                );
                if !imputed.value.is_null() {
                    let value = imputed.value.clone();
                    self.set(
                        Stage::Preprocess,
                        &["columns", column, "fill_value"],
                        value,
                        &because,
                    );
                }
                true
            }
            None if matches!(imputed.how.as_str(), "mean" | "median") => {
                self.set(Stage::Preprocess, &["numbers", "impute"], how, &because)
            }
            None => false,
        }
    }

    fn cut(&mut self, found: &Analysis) {
        let Some(cut) = &found.split else { return };
        let because = format!("{}, {}", cut.by, at(cut.line));
        if let Some(share) = cut.size.filter(|share| *share > 0.0 && *share < 1.0) {
            self.set(
                Stage::Preprocess,
                &["test_share"],
                Value::from(share),
                &because,
            );
        } else if let Some(size) = cut.size {
            self.without(
                cut.line,
                format!("test_size is {size} rows: test_share is a share of them"),
            );
        }
        if cut.kind != "hash" {
            let kind = &cut.kind;
            self.without(
                cut.line,
                format!("{}: set split = \"{kind}\" and {kind} = the column", cut.by),
            );
        }
    }
}
