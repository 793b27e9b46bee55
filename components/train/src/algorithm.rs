//! The seam behind which an algorithm works, and the table of them.

use septet_kit::{matrix::Matrix, model::Model, preprocessing::Task};

use crate::{
    bayes::GaussianNb,
    boosting::GradientBoosting,
    coordinates::{ELASTIC_NET, LASSO},
    forest::{DecisionTree, RandomForest},
    least_squares::LinearRegression,
    logistic::LogisticRegression,
    neighbours::NearestNeighbours,
    ridge::Ridge,
    settings::{Setting, Settings},
};

/// What an algorithm learns from.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// One row a train row; finite.
    pub features: &'a Matrix,
    /// Of each row: the class's index, or the value; finite.
    pub target: &'a [f64],
    /// Number of classes, of which one may have no row; 0 for regression.
    pub classes: usize,
    /// Of each row, 0 or more, if they are not all 1; not all are 0.
    pub weights: Option<&'a [f64]>,
    /// Of each row, if some stay together: the number of its unit, from 0 without a gap.
    pub units: Option<&'a [u32]>,
}

impl<'a> Rows<'a> {
    /// Rows without weights, each a unit of its own.
    pub const fn plain(features: &'a Matrix, target: &'a [f64], classes: usize) -> Self {
        Self {
            features,
            target,
            classes,
            weights: None,
            units: None,
        }
    }

    /// A row's weight.
    pub fn weight(&self, row: usize) -> f64 {
        self.weights
            .and_then(|weights| weights.get(row))
            .copied()
            .unwrap_or(1.0)
    }

    /// Sum of the weights.
    pub fn total(&self) -> f64 {
        self.weights
            .map_or(self.features.rows as f64, |weights| weights.iter().sum())
    }
}

/// What an algorithm learned.
#[derive(Clone, Debug)]
pub struct Learned {
    /// What predicts.
    pub model: Model,
    /// Predictions for train rows by parts of the model that did not learn from them; none if the
    /// algorithm has no such parts.
    pub held_out: Option<HeldOut>,
    /// For the reader of the report.
    pub notes: Vec<String>,
}

impl Learned {
    /// A model of which there is no more to say.
    pub const fn of(model: Model) -> Self {
        Self {
            model,
            held_out: None,
            notes: vec![],
        }
    }
}

/// Predictions for train rows by what did not learn from them.
#[derive(Clone, Debug)]
pub struct HeldOut {
    /// Numbers of the rows, ascending.
    pub rows: Vec<u32>,
    /// One row each; columns as [`Model::predict`] gives them.
    pub predictions: Matrix,
}

/// Says how far the work is: steps done, and of how many where that is known. This is also where
/// the host stops it.
pub type Progress<'a> = dyn FnMut(u64, Option<u64>) + 'a;

/// An algorithm: a name, hyper-parameters and a way from rows to a model.
pub trait Algorithm: Sync {
    /// As the user writes it.
    fn name(&self) -> &'static str;

    /// What it can predict.
    fn tasks(&self) -> &'static [Task];

    /// What it knows for this ML task.
    fn settings(&self, task: Task) -> Vec<Setting>;

    /// Bytes that it needs at most for a table of this shape, its numbers (8 bytes each) included.
    fn memory(&self, rows: u64, columns: u64, classes: u64, settings: &Settings) -> u64;

    /// Whether rows may have weights.
    fn weighs(&self) -> bool {
        true
    }

    /// Whether what it learned tells, of each row, what parts of the model say that did not learn
    /// from it; see [`Learned::held_out`].
    fn holds_out(&self) -> bool {
        false
    }

    /// Numbers that are looked at for one prediction by what so many rows teach, where that grows
    /// with the rows: then fewer rows are cross-validated, and `auto` leaves the algorithm out
    /// where they are many.
    fn row_cost(&self, _rows: u64, _columns: u64) -> Option<u64> {
        None
    }

    /// Numbers that are looked at to learn, about: `auto` leaves an algorithm out where it would
    /// take minutes.
    fn effort(&self, rows: u64, columns: u64, _settings: &Settings) -> u64 {
        rows.saturating_mul(columns)
    }

    /// Operations of the longest step that can't report, about: a table that makes it longer than
    /// the host bears is refused beforehand.
    fn silent(&self, _columns: u64, _settings: &Settings) -> u64 {
        0
    }

    /// Learns. Equal rows, settings and seed give equal models.
    fn learn(
        &self,
        rows: Rows<'_>,
        settings: &Settings,
        seed: u64,
        progress: &mut Progress<'_>,
    ) -> Result<Learned, String>;
}

/// All algorithms, those with simpler models first.
const ALL: [&dyn Algorithm; 10] = [
    &LogisticRegression,
    &LinearRegression,
    &Ridge,
    &LASSO,
    &ELASTIC_NET,
    &GaussianNb,
    &NearestNeighbours,
    &DecisionTree,
    &RandomForest,
    &GradientBoosting,
];

/// Compares all.
pub const AUTO: &str = "auto";

/// All algorithms for an ML task.
pub fn fitting(task: Task) -> impl Iterator<Item = &'static dyn Algorithm> {
    ALL.into_iter().filter(move |a| a.tasks().contains(&task))
}

/// The algorithm of this name, or the task's default: `logistic-regression` or `ridge`.
pub fn choose(name: Option<&str>, task: Task) -> Result<&'static dyn Algorithm, String> {
    let known = || {
        let names = fitting(task).map(Algorithm::name);
        names.chain([AUTO]).collect::<Vec<_>>().join(", ")
    };
    let name = name.unwrap_or(match task {
        Task::Classification => LogisticRegression.name(),
        Task::Regression => Ridge.name(),
    });
    let found = ALL.into_iter().find(|algorithm| algorithm.name() == name);
    let found = found.ok_or_else(|| {
        let shown: String = name.chars().take(60).collect();
        format!(
            "there is no algorithm '{}': choose one of {} for {}",
            shown.escape_debug(),
            known(),
            task.name()
        )
    })?;
    if found.tasks().contains(&task) {
        Ok(found)
    } else {
        Err(format!(
            "{name} can't do {}: choose one of {}",
            task.name(),
            known()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_task_has_a_default() {
        let name = |task| choose(None, task).unwrap().name();
        assert_eq!(name(Task::Classification), "logistic-regression");
        assert_eq!(name(Task::Regression), "ridge");
    }

    #[test]
    fn what_is_wrong_is_told_with_what_fits() {
        let told = |name, task| choose(Some(name), task).err().unwrap();
        assert_eq!(
            told("xgboost", Task::Regression),
            "there is no algorithm 'xgboost': choose one of linear-regression, ridge, lasso, \
             elastic-net, knn, decision-tree, random-forest, gradient-boosting, auto for regression"
        );
        assert_eq!(
            told("ridge", Task::Classification),
            "ridge can't do classification: choose one of logistic-regression, \
             gaussian-nb, knn, decision-tree, random-forest, auto"
        );
    }
}
