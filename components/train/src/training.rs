//! From train rows to a bundle.

use std::collections::BTreeMap;

use septet_kit::{
    bundle::{Bundle, FORMAT, LineageInput, Manifest, Recorded, TRAIN_ROW},
    drift::Reference,
    matrix::Matrix,
    metrics::{self, Metrics},
    model::Model,
    preprocessing::{Preprocessing, Task},
    table::{Column, Table, Values as Cells},
};
use serde::Deserialize;

use crate::{
    algorithm::{self, Algorithm, Progress, Rows},
    rows::Loaded,
    settings::Settings,
};

/// Memory that a component has for its work: 4 GiB but for code, stack and what is read.
const MEMORY: u64 = 7 << 29;
/// Text of a row that is recorded; JSON may need six times as much.
const MAX_RECORDED: usize = 64 << 10;
/// Rows that are predicted between two reports.
const CHUNK: usize = 8_192;

/// The stage's parameters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// None: the ML task's default.
    #[serde(default)]
    pub algorithm: Option<String>,
    /// Hyper-parameters.
    #[serde(default)]
    pub parameters: BTreeMap<String, serde_json::Value>,
}

/// What is to be done, checked before any row is read.
pub struct Plan {
    algorithm: &'static dyn Algorithm,
    settings: Settings,
}

/// What goes into a bundle besides what is learned.
#[derive(Clone, Debug)]
pub struct Given {
    /// Fitted on the train rows.
    pub preprocessing: Preprocessing,
    /// The train rows' raw columns.
    pub reference: Reference,
    /// Raw train rows; with [`TRAIN_ROW`] where there are transforms.
    pub sample: Table,
    /// The stage's inputs.
    pub lineage: Vec<LineageInput>,
    /// Of all randomness.
    pub seed: u64,
}

/// What comes of training.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The model and all that serving it needs.
    pub bundle: Bundle,
    /// On the train rows: `train_…`, and `oob_…` on rows that a part of the model did not see.
    pub metrics: Metrics,
    /// For the reader of the report.
    pub notes: Vec<String>,
}

impl Plan {
    /// Checks algorithm, hyper-parameters and whether there is anything to learn.
    pub fn new(parameters: &Parameters, preprocessing: &Preprocessing) -> Result<Self, String> {
        let task = preprocessing.task;
        let algorithm = algorithm::choose(parameters.algorithm.as_deref(), task)?;
        let known = algorithm.settings(task);
        let settings = Settings::check(algorithm.name(), &known, &parameters.parameters)?;
        let target = &preprocessing.target;
        if preprocessing.features.is_empty() {
            return Err("no feature is left to learn from".to_owned());
        }
        if task == Task::Classification {
            let seen = preprocessing
                .class_counts
                .iter()
                .filter(|n| **n > 0)
                .count();
            if seen < preprocessing.classes.len() {
                return Err(format!("a class of '{target}' has no train row"));
            }
            match &preprocessing.classes[..] {
                [] => return Err(format!("'{target}' has no value in the train rows")),
                [only] => {
                    let shown: String = only.chars().take(60).collect();
                    return Err(format!(
                        "'{target}' has one class only, '{}': a classifier needs two or more",
                        shown.escape_debug()
                    ));
                }
                _ => {}
            }
        }
        Ok(Self {
            algorithm,
            settings,
        })
    }

    /// Whether so many rows can be learned from in the memory that a component has.
    pub fn fits(&self, rows: u64, preprocessing: &Preprocessing) -> Result<(), String> {
        let columns = preprocessing.features.len() as u64;
        let classes = preprocessing.classes.len() as u64;
        let need = self
            .algorithm
            .memory(rows, columns, classes, &self.settings);
        if need <= MEMORY {
            return Ok(());
        }
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        Err(format!(
            "{} on {rows} rows × {columns} features may need {:.1} GiB, but a component has \
             {:.1} GiB for it: take fewer rows or columns, or another algorithm or its parameters",
            self.algorithm.name(),
            gib(need),
            gib(MEMORY)
        ))
    }

    /// Trains.
    pub fn train(
        &self,
        loaded: &Loaded,
        given: Given,
        progress: &mut Progress<'_>,
    ) -> Result<Trained, String> {
        let preprocessing = &given.preprocessing;
        let Loaded { features, target } = loaded;
        if features.rows == 0 {
            return Err("there are no train rows".to_owned());
        }
        // A smaller part of the work later repeats the last report, so that the host hears of it.
        let mut last = (0, None);
        let mut report = |done, total| {
            last = (done, total);
            progress(done, total);
        };
        let rows = Rows {
            features,
            target,
            classes: preprocessing.classes.len(),
        };
        let learned = self
            .algorithm
            .learn(rows, &self.settings, given.seed, &mut report)?;
        let model = learned.model;
        let predictions = predict(&model, features, &mut || progress(last.0, last.1));
        let mut figures = score(preprocessing.task, "train", target, &predictions);
        let held_out = learned
            .held_out
            .filter(|held_out| !held_out.rows.is_empty());
        if let Some(held_out) = &held_out {
            let rows = held_out.rows.iter();
            let target: Vec<f64> = rows
                .filter_map(|row| target.get(*row as usize).copied())
                .collect();
            let out_of_bag = score(preprocessing.task, "oob", &target, &held_out.predictions);
            figures.extend(out_of_bag);
        }
        let unseen = held_out.map_or(predictions, |held_out| held_out.predictions);
        let manifest = Manifest {
            format: FORMAT,
            algorithm: self.algorithm.name().to_owned(),
            parameters: self.settings.values().clone(),
            seed: given.seed,
            feature_reference: Reference::default(),
            threshold: None,
            metrics: figures.clone(),
            prediction_reference: Reference::fit(&answers(preprocessing, &unseen), &[]),
            recorded: record(&given, &model, features)?,
            reference: given.reference,
            lineage: given.lineage,
            preprocessing: given.preprocessing,
        };
        Ok(Trained {
            bundle: Bundle::new(manifest, model)?,
            metrics: figures,
            notes: learned.notes,
        })
    }
}

/// Predictions for all rows, a chunk at a time.
fn predict(model: &Model, features: &Matrix, report: &mut dyn FnMut()) -> Matrix {
    let mut predictions = Matrix::zeros(0, model.classes().unwrap_or(1));
    let columns = features.columns.max(1);
    for chunk in features.values.chunks(CHUNK * columns) {
        let rows = Matrix {
            rows: chunk.len() / columns,
            columns,
            values: chunk.to_vec(),
        };
        predictions.values.extend(model.predict(&rows).values);
        predictions.rows += rows.rows;
        report();
    }
    predictions
}

/// Metrics under names that begin with `prefix`.
fn score(task: Task, prefix: &str, target: &[f64], predictions: &Matrix) -> Metrics {
    let metrics = match task {
        Task::Classification => {
            let truth: Vec<usize> = target.iter().map(|class| *class as usize).collect();
            metrics::classification(&truth, &metrics::classes(predictions), predictions)
        }
        Task::Regression => metrics::regression(target, &predictions.values),
    };
    let kept = ["accuracy", "log_loss", "roc_auc", "r2", "rmse", "mae"];
    metrics
        .into_iter()
        .filter(|(name, _)| kept.contains(&name.as_str()))
        .map(|(name, value)| (format!("{prefix}_{name}"), value))
        .collect()
}

/// Predictions as the one column `prediction`, as infer gives it.
fn answers(preprocessing: &Preprocessing, predictions: &Matrix) -> Table {
    let values = match preprocessing.task {
        Task::Classification => Cells::Categories {
            dictionary: preprocessing.classes.clone(),
            codes: metrics::classes(predictions)
                .into_iter()
                .map(|class| class as u32)
                .collect(),
        },
        Task::Regression => Cells::Floats(predictions.values.clone()),
    };
    Table {
        rows: predictions.rows,
        columns: vec![Column {
            name: "prediction".to_owned(),
            values,
            nulls: vec![],
        }],
    }
}

/// The sample's rows with their predictions, but for rows with very long texts.
fn record(given: &Given, model: &Model, features: &Matrix) -> Result<Recorded, String> {
    let Given {
        preprocessing,
        sample,
        ..
    } = given;
    let short = |row: &u32| {
        let texts = sample.columns.iter();
        let lengths = texts
            .filter_map(|column| column.text(*row as usize))
            .map(str::len);
        lengths.sum::<usize>() <= MAX_RECORDED
    };
    let kept: Vec<u32> = (0..sample.rows as u32).filter(short).collect();
    let sample = sample.take(&kept);
    let raw = preprocessing.check(&sample)?;
    let rows = if preprocessing.transforms.is_empty() {
        preprocessing.features(&raw)?
    } else {
        let numbers = sample.column(TRAIN_ROW).map(|column| &column.values);
        let Some(Cells::Integers(numbers)) = numbers else {
            return Err(format!("the sample has no column {TRAIN_ROW}"));
        };
        let mut values = Vec::with_capacity(numbers.len() * features.columns);
        for number in numbers {
            let row = usize::try_from(*number).unwrap_or(usize::MAX);
            values.extend_from_slice(features.row(row));
        }
        Matrix::new(numbers.len(), features.columns, values)
            .ok_or("the sample names rows that the train table does not have")?
    };
    Ok(Recorded::new(&raw, &model.predict(&rows)))
}

#[cfg(test)]
pub(crate) mod tests {
    use septet_kit::preprocessing::{Encoding, Fitted, Input};
    use septet_kit::table::Kind;
    use serde_json::json;

    use super::*;

    /// Two numeric features that are taken as they are; two classes.
    pub(crate) fn preprocessing(task: Task) -> Preprocessing {
        let classification = task == Task::Classification;
        let names = ["a", "b"].map(str::to_owned);
        let fitted = |column: &String| Fitted {
            column: column.clone(),
            encoding: Encoding::Number {
                fill: 0.0,
                center: 0.0,
                scale: 1.0,
                indicator: false,
            },
        };
        let input = |name: &String| Input {
            name: name.clone(),
            kind: Kind::Floats,
            nullable: false,
        };
        Preprocessing {
            task,
            target: "y".to_owned(),
            classes: if classification {
                vec!["no".to_owned(), "yes".to_owned()]
            } else {
                vec![]
            },
            class_counts: if classification { vec![20, 20] } else { vec![] },
            target_mean: 0.5,
            positive: None,
            folds: septet_kit::preprocessing::Folds::Rows,
            weighted: false,
            inputs: names.iter().map(input).collect(),
            transforms: vec![],
            columns: names.iter().map(fitted).collect(),
            features: names.to_vec(),
        }
    }

    fn loaded() -> Loaded {
        let values = (0..80).map(|i| f64::from(i % 40) + f64::from(i % 2) * 0.25);
        Loaded {
            features: Matrix::new(40, 2, values.collect()).unwrap(),
            target: (0..40).map(|row| f64::from(row % 20 / 10)).collect(),
        }
    }

    fn sample(plan: &Preprocessing) -> Table {
        let loaded = loaded();
        let columns = plan.inputs.iter().enumerate().map(|(index, input)| Column {
            name: input.name.clone(),
            values: Cells::Floats(loaded.features.column(index).split_off(38)),
            nulls: vec![],
        });
        let numbers = Column {
            name: TRAIN_ROW.to_owned(),
            values: Cells::Integers(vec![38, 39]),
            nulls: vec![],
        };
        Table {
            rows: 2,
            columns: columns.chain([numbers]).collect(),
        }
    }

    fn given(plan: Preprocessing) -> Given {
        Given {
            reference: Reference::default(),
            sample: sample(&plan),
            lineage: vec![],
            seed: 3,
            preprocessing: plan,
        }
    }

    fn parameters(json: serde_json::Value) -> Parameters {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn every_algorithm_makes_a_bundle_that_replays() {
        for (task, algorithm, metric) in [
            (
                Task::Classification,
                "logistic-regression",
                "train_accuracy",
            ),
            (Task::Classification, "random-forest", "oob_accuracy"),
            (Task::Regression, "random-forest", "oob_r2"),
            (Task::Regression, "ridge", "train_r2"),
            (Task::Regression, "linear-regression", "train_rmse"),
        ] {
            let parameters = parameters(json!({"algorithm": algorithm}));
            let plan = Plan::new(&parameters, &preprocessing(task)).unwrap();
            plan.fits(40, &preprocessing(task)).unwrap();
            let mut steps = 0;
            let mut train = || {
                let given = given(preprocessing(task));
                plan.train(&loaded(), given, &mut |_, _| steps += 1)
                    .unwrap()
            };
            let trained = train();
            assert!(
                trained.metrics.contains_key(metric),
                "{:?}",
                trained.metrics
            );
            let bytes = trained.bundle.encode().unwrap();
            assert_eq!(bytes, train().bundle.encode().unwrap(), "{algorithm}");
            assert!(steps > 2);
            let Bundle { manifest, model } = Bundle::decode(&bytes).unwrap();
            let rows = manifest.recorded.table().unwrap();
            assert_eq!(rows.columns.len(), 2);
            let features = manifest.preprocessing.features(&rows).unwrap();
            manifest.recorded.replay(&model.predict(&features)).unwrap();
        }
    }

    #[test]
    fn rows_of_a_transform_are_taken_from_the_train_table() {
        let mut plan = preprocessing(Task::Regression);
        let direct = Plan::new(&Parameters::default(), &plan).unwrap();
        let recorded = |plan: Preprocessing| {
            let trained = direct.train(&loaded(), given(plan), &mut |_, _| {});
            trained.map(|trained| trained.bundle.manifest.recorded)
        };
        let without = recorded(plan.clone()).unwrap();
        plan.transforms.push("ab".repeat(32));
        assert_eq!(recorded(plan.clone()).unwrap(), without);
        let mut given = given(plan);
        given.sample.remove(TRAIN_ROW);
        let error = direct.train(&loaded(), given, &mut |_, _| {}).unwrap_err();
        assert!(error.contains(TRAIN_ROW), "{error}");
    }

    #[test]
    fn what_can_not_be_learned_is_told_beforehand() {
        let told = |plan: &Preprocessing, json| Plan::new(&parameters(json), plan).err().unwrap();
        let mut plan = preprocessing(Task::Classification);
        assert!(told(&plan, json!({"algorithm": "ridge"})).contains("can't do classification"));
        assert!(told(&plan, json!({"parameters": {"alpha": 1}})).contains("it knows C"));
        plan.class_counts = vec![40, 0];
        assert!(told(&plan, json!({})).contains("no train row"));
        plan.classes.pop();
        plan.class_counts.pop();
        assert_eq!(
            told(&plan, json!({})),
            "'y' has one class only, 'no': a classifier needs two or more"
        );
        plan = preprocessing(Task::Regression);
        plan.features.clear();
        assert!(told(&plan, json!({})).contains("no feature"));
    }

    #[test]
    fn what_does_not_fit_in_memory_is_told_beforehand() {
        let shape = preprocessing(Task::Classification);
        let forest = parameters(json!({"algorithm": "random-forest"}));
        let plan = Plan::new(&forest, &shape).unwrap();
        plan.fits(100_000, &shape).unwrap();
        let told = plan.fits(100_000_000, &shape).unwrap_err();
        assert!(told.contains("GiB"), "{told}");
    }
}
