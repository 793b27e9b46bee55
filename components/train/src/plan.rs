//! What is to be done, checked before any row is read.

use std::collections::BTreeMap;

use septet_kit::preprocessing::{Folds, Preprocessing, Task};
use septet_kit::trained::Loaded;
use serde::Deserialize;

use crate::{
    algorithm::{self, AUTO, Algorithm},
    score::Metric,
    settings::{Settings, Values},
    validation,
};

/// Memory that a component has for its work: 4 GiB but for code, stack and what is read.
const MEMORY: u64 = 7 << 29;
/// Numbers that a prediction may look at for `auto` to try the algorithm: about a millisecond.
const MAX_COST: u64 = 1 << 21;

/// Numbers that learning may look at for `auto` to try the algorithm: about a minute.
const MAX_EFFORT: u64 = 1 << 33;
/// Operations that one step may do without a report: some two minutes, of the five that the host
/// bears by default.
pub(crate) const MAX_SILENT: u64 = 1 << 37;

/// The stage's parameters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// `auto` compares all of the ML task. None: the ML task's default.
    #[serde(default)]
    pub algorithm: Option<String>,
    /// Hyper-parameters.
    #[serde(default)]
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// What algorithms and thresholds are compared by. None: `balanced_accuracy` or `r2`.
    #[serde(default)]
    pub metric: Option<String>,
    /// From which probability on the positive class is predicted. None: chosen on train rows.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// Folds of the cross-validation, 2 to 20. None: 5.
    #[serde(default)]
    pub folds: Option<u32>,
}

/// What is to be done.
pub struct Plan {
    pub(crate) choice: Choice,
    pub(crate) metric: Metric,
    pub(crate) threshold: Option<f64>,
    pub(crate) folds: usize,
    /// Index of the positive class.
    pub(crate) positive: Option<usize>,
}

/// Which algorithm.
pub(crate) enum Choice {
    /// This one.
    One(Candidate),
    /// The best of these.
    Auto(Vec<Candidate>),
}

/// An algorithm with its hyper-parameters.
#[derive(Clone)]
pub(crate) struct Candidate {
    pub(crate) algorithm: &'static dyn Algorithm,
    pub(crate) settings: Settings,
}

impl Plan {
    /// Checks algorithm, hyper-parameters and whether there is anything to learn.
    pub fn new(parameters: &Parameters, preprocessing: &Preprocessing) -> Result<Self, String> {
        let task = preprocessing.task;
        let choice = choose(parameters, preprocessing)?;
        let metric = Metric::choose(parameters.metric.as_deref(), preprocessing)?;
        let folds = parameters.folds.unwrap_or(5);
        if !(2..=20).contains(&folds) {
            return Err(format!(
                "folds can't be {folds}: it takes a whole number from 2 to 20"
            ));
        }
        if preprocessing.features.is_empty() {
            return Err("no feature is left to learn from".to_owned());
        }
        if task == Task::Classification {
            check_classes(preprocessing)?;
        }
        let positive = preprocessing.positive.as_ref();
        let positive =
            positive.and_then(|class| preprocessing.classes.iter().position(|c| c == class));
        if let Some(threshold) = parameters.threshold {
            if positive.is_none() {
                return Err(
                    "threshold needs two classes, of which one is positive: leave it out"
                        .to_owned(),
                );
            }
            if !(0.0..=1.0).contains(&threshold) {
                return Err(format!(
                    "threshold can't be {threshold}: it takes a number from 0 to 1"
                ));
            }
        }
        Ok(Self {
            choice,
            metric,
            threshold: parameters.threshold,
            folds: folds as usize,
            positive,
        })
    }

    /// Whether so many rows can be learned from in the memory that a component has, with no step
    /// that is silent for too long; of several algorithms, whether one can.
    pub fn fits(&self, rows: u64, preprocessing: &Preprocessing) -> Result<(), String> {
        let candidates = match &self.choice {
            Choice::One(one) => std::slice::from_ref(one),
            Choice::Auto(several) => several,
        };
        let mut wrong = None;
        for candidate in candidates {
            match candidate.fits(rows, preprocessing) {
                Ok(()) => return Ok(()),
                Err(error) => wrong = wrong.or(Some(error)),
            }
        }
        Err(wrong.unwrap_or_else(|| "no algorithm is left to learn with".to_owned()))
    }
}

impl Candidate {
    pub(crate) fn new(
        algorithm: &'static dyn Algorithm,
        task: Task,
        given: &Values,
    ) -> Result<Self, String> {
        let known = algorithm.settings(task);
        let settings = Settings::check(algorithm.name(), &known, given)?;
        Ok(Self {
            algorithm,
            settings,
        })
    }

    /// Of the algorithm.
    pub(crate) fn name(&self) -> &'static str {
        self.algorithm.name()
    }

    /// Whether so many rows fit in memory, and no step is silent for too long.
    fn fits(&self, rows: u64, preprocessing: &Preprocessing) -> Result<(), String> {
        let columns = preprocessing.features.len() as u64;
        let classes = preprocessing.classes.len() as u64;
        if self.algorithm.silent(columns, &self.settings) > MAX_SILENT {
            return Err(format!(
                "{} on {rows} rows × {columns} features would solve its equations in one step of \
                 many minutes: take fewer columns, or lasso or gradient-boosting",
                self.algorithm.name()
            ));
        }
        let own = self
            .algorithm
            .memory(rows, columns, classes, &self.settings);
        // The rows of a fold, in both its parts, and their predictions; and units and weights.
        let cost = self.algorithm.row_cost(rows, columns);
        let most = validation::most_rows(rows as usize, columns as usize, cost, false) as u64;
        let fold = most
            .min(rows)
            .saturating_mul(columns.saturating_add(classes).saturating_add(4));
        let need = fold
            .saturating_add(rows.saturating_mul(4 + classes))
            .saturating_mul(8)
            .saturating_add(own);
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

    /// Why `auto` does not try it on these rows.
    pub(crate) fn obstacle(
        &self,
        loaded: &Loaded,
        preprocessing: &Preprocessing,
    ) -> Option<String> {
        let (rows, columns) = (loaded.features.rows as u64, loaded.features.columns as u64);
        if preprocessing.weighted && !self.algorithm.weighs() {
            return Some("it takes no weights".to_owned());
        }
        let cost = self.algorithm.row_cost(rows, columns);
        if cost.is_some_and(|cost| cost > MAX_COST) {
            return Some(format!(
                "each prediction would go through {rows} rows × {columns} features"
            ));
        }
        if self.algorithm.effort(rows, columns, &self.settings) > MAX_EFFORT {
            return Some(format!(
                "learning from {rows} rows × {columns} features would take minutes; name it to \
                 have it"
            ));
        }
        self.fits(rows, preprocessing).err()
    }
}

fn choose(parameters: &Parameters, preprocessing: &Preprocessing) -> Result<Choice, String> {
    let task = preprocessing.task;
    let given = &parameters.parameters;
    if parameters.algorithm.as_deref() == Some(AUTO) {
        // Which algorithm it will be is not known: parameters of one would be wrong for others.
        Settings::check(AUTO, &[], given)?;
        let none = Values::new();
        let candidates = algorithm::fitting(task).map(|a| Candidate::new(a, task, &none));
        return Ok(Choice::Auto(candidates.collect::<Result<_, _>>()?));
    }
    let algorithm = algorithm::choose(parameters.algorithm.as_deref(), task)?;
    if preprocessing.weighted && !algorithm.weighs() {
        return Err(format!(
            "{} takes no weights: leave the weights out or choose another algorithm",
            algorithm.name()
        ));
    }
    Candidate::new(algorithm, task, given).map(Choice::One)
}

/// Whether there are classes to tell apart.
fn check_classes(preprocessing: &Preprocessing) -> Result<(), String> {
    let target = &preprocessing.target;
    let counts = preprocessing.class_counts.iter();
    if counts.filter(|n| **n > 0).count() < preprocessing.classes.len() {
        return Err(format!("a class of '{target}' has no train row"));
    }
    match &preprocessing.classes[..] {
        [] => Err(format!("'{target}' has no value in the train rows")),
        [only] => {
            let shown: String = only.chars().take(60).collect();
            Err(format!(
                "'{target}' has one class only, '{}': a classifier needs two or more",
                shown.escape_debug()
            ))
        }
        _ => Ok(()),
    }
}

/// Whether rows that are left out of a bag tell how good a model is: not of groups, whose other
/// rows are in the bag, and not of times, whose later rows are.
pub(crate) const fn bags_tell(folds: Folds) -> bool {
    matches!(folds, Folds::Rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::training::tests::preprocessing;

    fn parameters(json: serde_json::Value) -> Parameters {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_can_not_be_learned_is_told_beforehand() {
        let told = |plan: &Preprocessing, json| Plan::new(&parameters(json), plan).err().unwrap();
        let mut plan = preprocessing(Task::Classification);
        assert!(told(&plan, json!({"algorithm": "ridge"})).contains("can't do classification"));
        assert!(told(&plan, json!({"parameters": {"alpha": 1}})).contains("it knows C"));
        assert!(told(&plan, json!({"metric": "r2"})).contains("no metric 'r2'"));
        assert!(told(&plan, json!({"folds": 1})).contains("from 2 to 20"));
        assert!(told(&plan, json!({"threshold": 0.5})).contains("positive"));
        let auto = json!({"algorithm": "auto", "parameters": {"C": 1}});
        assert_eq!(told(&plan, auto), "auto has no parameter 'C': it has none");
        plan.positive = Some("yes".to_owned());
        assert!(told(&plan, json!({"threshold": 1.5})).contains("from 0 to 1"));
        plan.weighted = true;
        assert!(told(&plan, json!({"algorithm": "knn"})).contains("takes no weights"));
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
    fn auto_leaves_out_what_takes_too_long() {
        let shape = preprocessing(Task::Regression);
        let loaded = |rows: usize| Loaded {
            features: septet_kit::matrix::Matrix::zeros(rows, 2),
            target: vec![],
            units: vec![],
            weights: None,
        };
        let out = |rows: usize| -> Vec<_> {
            let candidates = algorithm::fitting(Task::Regression);
            let candidates =
                candidates.map(|a| Candidate::new(a, Task::Regression, &Values::new()));
            let (loaded, candidates) = (loaded(rows), candidates.map(Result::unwrap));
            candidates
                .filter(|candidate| candidate.obstacle(&loaded, &shape).is_some())
                .map(|candidate| candidate.name())
                .collect()
        };
        assert_eq!(out(100_000), [""; 0]);
        assert_eq!(out(3_000_000), ["knn", "random-forest"]);
    }

    #[test]
    fn widths_that_are_solved_for_minutes_are_told_beforehand() {
        let mut shape = preprocessing(Task::Regression);
        let told = |shape: &Preprocessing, json| {
            let plan = Plan::new(&parameters(json), shape).unwrap();
            plan.fits(1_000, shape).err()
        };
        let linear = || json!({"algorithm": "linear-regression"});
        let ridge = |alpha: u32| json!({"algorithm": "ridge", "parameters": {"alpha": alpha}});
        shape.features = vec!["a".to_owned(); 1_900];
        assert_eq!(told(&shape, linear()), None);
        assert_eq!(told(&shape, ridge(0)), None);
        shape.features = vec!["a".to_owned(); 2_000];
        let line = told(&shape, linear()).unwrap();
        assert!(line.contains("1000 rows × 2000 features"), "{line}");
        assert!(line.contains("fewer columns"), "{line}");
        assert!(told(&shape, ridge(0)).is_some());
        assert_eq!(told(&shape, ridge(1)), None);
        shape.features = vec!["a".to_owned(); 5_200];
        assert!(told(&shape, ridge(1)).is_some());
        for name in ["lasso", "elastic-net", AUTO] {
            assert_eq!(told(&shape, json!({"algorithm": name})), None, "{name}");
        }
    }

    #[test]
    fn auto_leaves_out_solvers_of_wide_rows() {
        let effort = |algorithm, rows, columns| {
            let algorithm = algorithm::choose(Some(algorithm), Task::Regression).unwrap();
            let one = Candidate::new(algorithm, Task::Regression, &Values::new()).unwrap();
            one.algorithm.effort(rows, columns, &one.settings)
        };
        assert_eq!(
            effort("linear-regression", 1_000, 100),
            10_000_000 + 20_000_000
        );
        assert_eq!(effort("ridge", 1_000, 100), 5_000_000 + 1_000_000);
        assert_eq!(effort("lasso", 1_000, 200), 20_000_000 + 8_000_000);
        for name in ["linear-regression", "ridge", "lasso", "elastic-net"] {
            assert!(effort(name, 100_000, 100) < MAX_EFFORT, "{name}");
            assert!(effort(name, 1_000, 3_000) > MAX_EFFORT, "{name}");
        }
    }

    #[test]
    fn what_does_not_fit_in_memory_is_told_beforehand() {
        for task in [Task::Classification, Task::Regression] {
            let shape = preprocessing(task);
            for algorithm in algorithm::fitting(task).map(Algorithm::name).chain([AUTO]) {
                let plan = Plan::new(&parameters(json!({"algorithm": algorithm})), &shape).unwrap();
                plan.fits(100_000, &shape).unwrap();
                let told = plan.fits(300_000_000, &shape).unwrap_err();
                assert!(told.contains("GiB"), "{told}");
            }
        }
    }
}
