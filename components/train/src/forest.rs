//! Random forest: smartcore's trees, grown one by one.
//!
//! Each tree is a smartcore forest of one, with a seed of its own drawn from the run's: the same
//! bootstrap and the same choice of features at each split as in one forest of many, but each tree
//! can be reported and its rows are known, so that the rows that it did not see tell how good it is.
//!
//! Two classes are grown by smartcore's regression trees on 0 and 1: the variance of such a target
//! is half of Gini's impurity, so that the splits are the same, and smartcore's regression trees
//! need memory for the table once, where its classification trees keep the whole table's row
//! counts in each open node. More classes have to take the latter.

use septet_kit::{
    matrix::Matrix,
    model::{Forest, Model, Node, walk},
    preprocessing::Task,
};
use smartcore::{
    ensemble::{
        random_forest_classifier::{RandomForestClassifier, RandomForestClassifierParameters},
        random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters},
    },
    error::Failed,
    linalg::basic::matrix::DenseMatrix,
};

use crate::{
    algorithm::{Algorithm, HeldOut, Learned, Progress, Rows},
    least_squares::told,
    settings::{Range, Setting, Settings},
    trees::Grown,
};

/// Train rows for each node that is open at once. On labels that are pure noise, the worst there
/// is, one node in about 40 rows was seen to be.
const OPEN_ROWS: u64 = 25;
const TOO_MANY: &str = "the forest has too many nodes: lower n_estimators or raise \
                        min_samples_leaf";

type Table = DenseMatrix<f64>;

/// See the module's page.
pub(crate) struct RandomForest;

impl Algorithm for RandomForest {
    fn name(&self) -> &'static str {
        "random-forest"
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Classification, Task::Regression]
    }

    fn settings(&self, task: Task) -> Vec<Setting> {
        let whole = |name, default, least, greatest| Setting {
            name,
            range: Range::Whole {
                default,
                least,
                greatest,
            },
        };
        vec![
            whole("n_estimators", Some(100), 1, 10_000),
            whole("max_depth", None, 1, 60_000),
            whole("min_samples_leaf", Some(1), 1, 1_000_000_000),
            whole("min_samples_split", Some(2), 2, 1_000_000_000),
            Setting {
                name: "max_features",
                range: Range::Features {
                    default: match task {
                        Task::Classification => "sqrt",
                        Task::Regression => "all",
                    },
                },
            },
        ]
    }

    fn memory(&self, rows: u64, columns: u64, classes: u64, settings: &Settings) -> u64 {
        // A cell: once row after row, once column after column, its order, its place in a tree.
        let cells = rows.saturating_mul(columns).saturating_mul(8 + 8 + 8 + 8);
        let outputs = rows.saturating_mul(classes.max(1).saturating_add(2) * 8);
        let open = if classes > 2 {
            // Nodes that are open at once, each with the counts of all rows.
            let by_rows =
                rows / OPEN_ROWS / u64::from(settings.whole("min_samples_leaf").unwrap_or(1));
            let by_depth = settings
                .whole("max_depth")
                .and_then(|depth| 1u64.checked_shl(depth))
                .unwrap_or(u64::MAX);
            by_rows
                .min(by_depth)
                .saturating_add(2)
                .saturating_mul(rows)
                .saturating_mul(4)
        } else {
            0
        };
        // All trees: fully grown, each has a node for about each row.
        let trees = u64::from(settings.whole("n_estimators").unwrap_or(100));
        let leaf = u64::from(settings.whole("min_samples_leaf").unwrap_or(1));
        let nodes = (rows.saturating_mul(3) / 2 / leaf).saturating_mul(16);
        cells
            .saturating_add(outputs)
            .saturating_add(open)
            .saturating_add(nodes.saturating_mul(trees.saturating_add(30)))
    }

    fn learn(
        &self,
        rows: Rows<'_>,
        settings: &Settings,
        seed: u64,
        progress: &mut Progress<'_>,
    ) -> Result<Learned, String> {
        let Rows {
            features,
            target,
            classes,
        } = rows;
        let columns = features.columns;
        let table = column_major(features).map_err(|error| told(&error))?;
        let labels: Vec<u32> = target.iter().map(|class| *class as u32).collect();
        let values = target.to_vec();
        let trees = u64::from(settings.whole("n_estimators").unwrap_or(100));
        let mut out_of_bag = OutOfBag::new(features.rows, classes);
        let (mut roots, mut nodes) = (vec![], vec![]);
        let mut seeds = seed;
        for tree in 0..trees {
            let root = u32::try_from(nodes.len()).map_err(|_| TOO_MANY.to_owned())?;
            let seed = next_seed(&mut seeds);
            let fresh = if classes > 2 {
                grow_classes(&table, &labels, settings, columns, seed)?
                    .flatten(&mut nodes, |x| x)?
            } else {
                let grown = grow_values(&table, &values, settings, columns, seed)?;
                // Of two classes, a leaf votes for the one that has more of its rows.
                let vote = |share: f64| f64::from(u8::from(share > 0.5));
                grown.flatten(&mut nodes, |x| if classes == 2 { vote(x) } else { x })?
            };
            out_of_bag.add(&nodes, root, features, &fresh);
            roots.push(root);
            progress(tree + 1, Some(trees));
        }
        drop(table);
        let forest = Forest::new(columns, roots, nodes)?;
        let model = if classes > 0 {
            Model::ForestClassifier { classes, forest }.checked()?
        } else {
            Model::ForestRegressor(forest)
        };
        Ok(Learned {
            model,
            held_out: Some(out_of_bag.finish()),
            notes: vec![],
        })
    }
}

/// smartcore's trees go through the table column by column.
fn column_major(features: &Matrix) -> Result<Table, Failed> {
    let mut values = Vec::with_capacity(features.values.len());
    for column in 0..features.columns {
        values.extend(
            features
                .values
                .iter()
                .skip(column)
                .step_by(features.columns),
        );
    }
    DenseMatrix::new(features.rows, features.columns, values, true)
}

/// smartcore counts the root as a level.
fn levels(settings: &Settings) -> Option<u16> {
    let depth = settings.whole("max_depth")?;
    Some(u16::try_from(depth).unwrap_or(u16::MAX).saturating_add(1))
}

/// A tree for several classes.
fn grow_classes(
    table: &Table,
    labels: &Vec<u32>,
    settings: &Settings,
    columns: usize,
    seed: u64,
) -> Result<Grown, String> {
    let parameters = RandomForestClassifierParameters {
        max_depth: levels(settings),
        min_samples_leaf: settings.whole("min_samples_leaf").unwrap_or(1) as usize,
        min_samples_split: settings.whole("min_samples_split").unwrap_or(2) as usize,
        n_trees: 1,
        m: Some(settings.features("max_features", columns)),
        keep_samples: true,
        seed,
        ..RandomForestClassifierParameters::default()
    };
    let forest = RandomForestClassifier::fit(table, labels, parameters);
    Grown::of_classifier(&forest.map_err(|error| told(&error))?)
}

/// A tree for a value.
fn grow_values(
    table: &Table,
    values: &Vec<f64>,
    settings: &Settings,
    columns: usize,
    seed: u64,
) -> Result<Grown, String> {
    let parameters = RandomForestRegressorParameters {
        max_depth: levels(settings),
        min_samples_leaf: settings.whole("min_samples_leaf").unwrap_or(1) as usize,
        min_samples_split: settings.whole("min_samples_split").unwrap_or(2) as usize,
        n_trees: 1,
        m: Some(settings.features("max_features", columns)),
        keep_samples: true,
        seed,
    };
    let forest = RandomForestRegressor::fit(table, values, parameters);
    Grown::of_regressor(&forest.map_err(|error| told(&error))?)
}

/// The next of a run of well-mixed seeds (Steele, Lea and Flood's splitmix64).
const fn next_seed(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Votes, or sums of values, of the trees that did not learn from a row.
struct OutOfBag {
    classes: usize,
    sums: Matrix,
    trees: Vec<u32>,
}

impl OutOfBag {
    fn new(rows: usize, classes: usize) -> Self {
        Self {
            classes,
            sums: Matrix::zeros(rows, classes.max(1)),
            trees: vec![0; rows],
        }
    }

    fn add(&mut self, nodes: &[Node], root: u32, features: &Matrix, fresh: &[bool]) {
        let rows = fresh.iter().zip(&mut self.trees).enumerate();
        for (row, (_, trees)) in rows.filter(|(_, (fresh, _))| **fresh) {
            let leaf = walk(nodes, root, features.row(row));
            let (column, value) = if self.classes > 0 {
                (leaf as usize, 1.0)
            } else {
                (0, leaf)
            };
            if let Some(sum) = self.sums.row_mut(row).get_mut(column) {
                *sum += value;
                *trees += 1;
            }
        }
    }

    fn finish(self) -> HeldOut {
        let mut rows = vec![];
        let mut values = vec![];
        for (row, trees) in (0u32..).zip(&self.trees).filter(|(_, trees)| **trees > 0) {
            rows.push(row);
            let sums = self.sums.row(row as usize).iter();
            values.extend(sums.map(|sum| sum / f64::from(*trees)));
        }
        HeldOut {
            predictions: Matrix {
                rows: rows.len(),
                columns: self.sums.columns,
                values,
            },
            rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::Values;

    /// Points on a grid; the class is the quarter that a point lies in.
    fn quarters() -> (Matrix, Vec<f64>) {
        let cells = (0..20).flat_map(|x| (0..20).map(move |y| [f64::from(x), f64::from(y)]));
        let values: Vec<f64> = cells.flatten().collect();
        let features = Matrix::new(400, 2, values).unwrap();
        let quarter = |row: &[f64]| f64::from(u8::from(row[0] > 9.5) + 2 * u8::from(row[1] > 9.5));
        let target = (0..400).map(|row| quarter(features.row(row))).collect();
        (features, target)
    }

    fn learn(target: &[f64], classes: usize, given: &[(&str, u32)], seed: u64) -> (Learned, u64) {
        let (features, _) = quarters();
        let given: Values = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        let known = RandomForest.settings(Task::Classification);
        let settings = Settings::check("x", &known, &given).unwrap();
        let rows = Rows {
            features: &features,
            target,
            classes,
        };
        let mut steps = 0;
        let learned = RandomForest
            .learn(rows, &settings, seed, &mut |_, _| steps += 1)
            .unwrap();
        (learned, steps)
    }

    #[test]
    fn quarters_are_learned_and_held_out_rows_tell() {
        let (features, target) = quarters();
        let halves: Vec<f64> = target.iter().map(|class| class % 2.0).collect();
        for (target, classes) in [(&target, 4), (&halves, 2), (&target, 0)] {
            let (learned, steps) = learn(target, classes, &[("n_estimators", 20)], 7);
            assert_eq!(steps, 20);
            let near = |matrix: &Matrix, row: usize, truth: f64| {
                let row = matrix.row(row);
                if classes == 0 {
                    (row[0] - truth).abs() < 0.5
                } else {
                    row[truth as usize] > 0.5
                }
            };
            let now = learned.model.predict(&features);
            let right = (0..400)
                .filter(|row| near(&now, *row, target[*row]))
                .count();
            assert!(right > 395, "{classes}: {right}");
            let held_out = learned.held_out.unwrap();
            assert!(held_out.rows.len() > 390);
            let rows = held_out.rows.iter().enumerate();
            let right = rows
                .filter(|(at, row)| near(&held_out.predictions, *at, target[**row as usize]))
                .count();
            assert!(right > 370, "{classes}: {right}");
        }
    }

    #[test]
    fn the_seed_decides() {
        let (_, target) = quarters();
        let bytes = |seed| {
            learn(&target, 4, &[("n_estimators", 3)], seed)
                .0
                .model
                .encode()
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }

    #[test]
    fn depth_is_counted_as_scikit_learn_does() {
        let (_, target) = quarters();
        let halves: Vec<f64> = target.iter().map(|class| class % 2.0).collect();
        for (target, classes) in [(&target, 4), (&halves, 2), (&target, 0)] {
            let given = [("n_estimators", 1), ("max_depth", 1), ("max_features", 2)];
            let (learned, _) = learn(target, classes, &given, 7);
            let (Model::ForestClassifier { forest, .. } | Model::ForestRegressor(forest)) =
                learned.model
            else {
                panic!()
            };
            assert_eq!(forest.nodes().len(), 3, "{classes}");
        }
    }

    #[test]
    fn leaves_keep_their_least_rows() {
        let (_, target) = quarters();
        let given = [("n_estimators", 1), ("min_samples_leaf", 200)];
        let (learned, _) = learn(&target, 4, &given, 7);
        let Model::ForestClassifier { forest, .. } = learned.model else {
            panic!()
        };
        assert!(forest.nodes().len() <= 3);
    }
}
