//! Random forest: trees on bootstraps, each split on some features, as scikit-learn's.
//!
//! The bootstrap draws units, not rows: equal rows are all in a tree's bag or all out of it, so
//! that the rows that a tree did not see tell how good it is. Weights multiply a row's count.

use septet_kit::{
    matrix::Matrix,
    model::{Forest, Model, walk},
    preprocessing::Task,
};

use crate::{
    algorithm::{Algorithm, HeldOut, Learned, Progress, Rows},
    settings::{Setting, Settings},
    tree::{self, Bins, ClassTally, Grower, Limits, Random, Request, ValueTally},
};

/// See the module's page.
pub(crate) struct RandomForest;

/// One tree on all rows.
pub(crate) struct DecisionTree;

impl Algorithm for RandomForest {
    fn name(&self) -> &'static str {
        "random-forest"
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Classification, Task::Regression]
    }

    fn holds_out(&self) -> bool {
        true
    }

    fn settings(&self, task: Task) -> Vec<Setting> {
        let features = match task {
            Task::Classification => "sqrt",
            Task::Regression => "all",
        };
        let mut settings = vec![Setting::whole("n_estimators", Some(100), 1, 10_000)];
        settings.extend(tree::settings(None, features));
        settings
    }

    fn memory(&self, rows: u64, columns: u64, classes: u64, settings: &Settings) -> u64 {
        // Votes of the trees that did not see a row.
        let votes = rows.saturating_mul(classes.max(1)).saturating_mul(3 * 8);
        let trees = u64::from(settings.whole("n_estimators").unwrap_or(100));
        memory(rows, columns, classes, trees, settings).saturating_add(votes)
    }

    fn effort(&self, rows: u64, columns: u64, settings: &Settings) -> u64 {
        let features = settings.features("max_features", columns as usize) as u64;
        let trees = u64::from(settings.whole("n_estimators").unwrap_or(100));
        // Each level of a tree goes through all rows.
        let levels = u64::from(rows.max(2).ilog2());
        [features, trees, levels]
            .into_iter()
            .fold(rows, u64::saturating_mul)
    }

    fn learn(
        &self,
        rows: Rows<'_>,
        settings: &Settings,
        seed: u64,
        progress: &mut Progress<'_>,
    ) -> Result<Learned, String> {
        let trees = u64::from(settings.whole("n_estimators").unwrap_or(100));
        let mut out_of_bag = OutOfBag::new(rows.features.rows, rows.classes);
        let model = grow(rows, settings, trees, Some(&mut out_of_bag), seed, progress)?;
        Ok(Learned {
            model,
            held_out: Some(out_of_bag.finish()),
            notes: vec![],
        })
    }
}

impl Algorithm for DecisionTree {
    fn name(&self) -> &'static str {
        "decision-tree"
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Classification, Task::Regression]
    }

    fn settings(&self, _: Task) -> Vec<Setting> {
        tree::settings(None, "all")
    }

    fn memory(&self, rows: u64, columns: u64, classes: u64, settings: &Settings) -> u64 {
        memory(rows, columns, classes, 1, settings)
    }

    fn learn(
        &self,
        rows: Rows<'_>,
        settings: &Settings,
        seed: u64,
        progress: &mut Progress<'_>,
    ) -> Result<Learned, String> {
        Ok(Learned::of(grow(rows, settings, 1, None, seed, progress)?))
    }
}

/// Bytes for so many trees at most.
fn memory(rows: u64, columns: u64, classes: u64, trees: u64, settings: &Settings) -> u64 {
    let nodes = tree::nodes(rows, classes, settings).saturating_mul(trees);
    bins_memory(rows, columns)
        // Encoding copies the trees twice, when the rows are gone.
        .saturating_add(nodes.saturating_mul(2))
}

/// Bytes of the rows, of their bins and of what a tree keeps of each row.
pub(crate) const fn bins_memory(rows: u64, columns: u64) -> u64 {
    let cells = rows.saturating_mul(columns).saturating_mul(8 + 2);
    cells.saturating_add(rows.saturating_mul(12 * 8))
}

/// Grows trees: on all rows, or on bootstraps of which the rows that are left out are asked.
fn grow(
    rows: Rows<'_>,
    settings: &Settings,
    trees: u64,
    mut out_of_bag: Option<&mut OutOfBag>,
    seed: u64,
    progress: &mut Progress<'_>,
) -> Result<Model, String> {
    let Rows {
        features,
        target,
        classes,
        ..
    } = rows;
    let columns = features.columns;
    let bins = Bins::of(features, &mut || progress(0, Some(trees)));
    let mut grower = Grower::new(&bins, Limits::of(settings, columns));
    let labels: Vec<u32> = if classes > 2 {
        target.iter().map(|class| *class as u32).collect()
    } else {
        vec![]
    };
    let mut by_class = ClassTally::new(&labels, classes);
    // Of two classes, the variance of 0 and 1 is half of Gini's impurity.
    let mut by_value = ValueTally::new(target);
    let mut shares = Matrix::zeros(0, classes);
    let (mut roots, mut nodes) = (vec![], vec![]);
    let mut seeds = Random::new(seed);
    let mut weights = rows
        .weights
        .map_or(vec![1.0; features.rows], <[f64]>::to_vec);
    for tree in 0..trees {
        let root = nodes.len();
        let mut random = Random::new(seeds.next());
        if out_of_bag.is_some() {
            bootstrap(rows, &mut random, &mut weights);
        }
        let mut leaf = |sums: &[f64]| match sums {
            [mean] if classes == 2 => mean.clamp(0.0, 1.0),
            [mean] => *mean,
            weights => leaf_of(weights, &mut shares),
        };
        let mut request = Request {
            weights: &weights,
            random: &mut random,
            nodes: &mut nodes,
            leaf: &mut leaf,
            tick: &mut || progress(tree, Some(trees)),
        };
        if classes > 2 {
            grower.grow(&mut by_class, &mut request)?;
        } else {
            grower.grow(&mut by_value, &mut request)?;
        }
        if let Some(out_of_bag) = &mut out_of_bag {
            let root = root as u32;
            let leaf = |row: usize| walk(&nodes, root, features.row(row));
            out_of_bag.add(&weights, &shares, leaf, &mut || progress(tree, Some(trees)));
        }
        roots.push(root as u32);
        progress(tree + 1, Some(trees));
    }
    let forest = Forest::new(columns, roots, nodes)?;
    if classes > 0 {
        Model::ForestClassifier { forest, shares }.checked()
    } else {
        Ok(Model::ForestRegressor(forest))
    }
}

/// A leaf's value from the weight of each class: the class, or a row of shares.
fn leaf_of(weights: &[f64], shares: &mut Matrix) -> f64 {
    let all: f64 = weights.iter().sum();
    let mut there = weights
        .iter()
        .enumerate()
        .filter(|(_, weight)| **weight > 0.0);
    match (there.next(), there.next()) {
        (Some((class, _)), None) => class as f64,
        (None, _) => 0.0,
        _ => {
            shares
                .values
                .extend(weights.iter().map(|weight| weight / all));
            shares.rows += 1;
            (weights.len() + shares.rows - 1) as f64
        }
    }
}

/// Draws as many units as there are, with replacement; a row weighs as often as its unit is drawn.
fn bootstrap(rows: Rows<'_>, random: &mut Random, weights: &mut [f64]) {
    let count = rows.features.rows;
    let units = rows.units.and_then(|units| units.iter().max());
    let units = units.map_or(count, |last| *last as usize + 1);
    let mut drawn = vec![0u32; units];
    for _ in 0..units {
        if let Some(times) = drawn.get_mut(random.below(units)) {
            *times += 1;
        }
    }
    for (row, weight) in weights.iter_mut().enumerate() {
        let unit = rows.units.and_then(|units| units.get(row));
        let times = drawn.get(unit.map_or(row, |unit| *unit as usize));
        *weight = rows.weight(row) * times.copied().map_or(0.0, f64::from);
    }
}

/// Sums of what the trees that did not learn from a row say of it.
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

    fn add(
        &mut self,
        weights: &[f64],
        shares: &Matrix,
        leaf: impl Fn(usize) -> f64,
        tick: &mut dyn FnMut(),
    ) {
        let out = weights.iter().zip(&mut self.trees).enumerate();
        for (row, (_, trees)) in out.filter(|(_, (weight, _))| **weight <= 0.0) {
            let leaf = leaf(row);
            let sums = self.sums.row_mut(row);
            match (self.classes, &mut *sums) {
                (0, [sum]) => *sum += leaf,
                (_, [first, second]) => {
                    *first += 1.0 - leaf;
                    *second += leaf;
                }
                _ => {
                    let class = leaf as usize;
                    if let Some(sum) = sums.get_mut(class) {
                        *sum += 1.0;
                    } else {
                        let shares = shares.row(class - self.classes);
                        sums.iter_mut()
                            .zip(shares)
                            .for_each(|(sum, share)| *sum += share);
                    }
                }
            }
            *trees += 1;
            if row % 65_536 == 0 {
                tick();
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

    fn halves(target: &[f64]) -> Vec<f64> {
        target.iter().map(|class| class % 2.0).collect()
    }

    fn learn(
        algorithm: &dyn Algorithm,
        rows: Rows<'_>,
        given: &[(&str, u32)],
        seed: u64,
    ) -> Learned {
        let given: Values = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        let known = algorithm.settings(Task::Classification);
        let settings = Settings::check("x", &known, &given).unwrap();
        algorithm
            .learn(rows, &settings, seed, &mut |_, _| {})
            .unwrap()
    }

    fn nodes(model: &Model) -> usize {
        let (Model::ForestClassifier { forest, .. } | Model::ForestRegressor(forest)) = model
        else {
            panic!()
        };
        forest.nodes().len()
    }

    #[test]
    fn quarters_are_learned_and_held_out_rows_tell() {
        let (features, target) = quarters();
        let halves = halves(&target);
        for (target, classes) in [(&target, 4), (&halves, 2), (&target, 0)] {
            let rows = Rows::plain(&features, target, classes);
            let learned = learn(&RandomForest, rows, &[("n_estimators", 20)], 7);
            let near = |matrix: &Matrix, row: usize, truth: f64| {
                let row = matrix.row(row);
                if classes == 0 {
                    (row[0] - truth).abs() < 0.5
                } else {
                    row[truth as usize] > 0.5
                }
            };
            let now = learned.model.predict(&features);
            let right = (0..400).filter(|row| near(&now, *row, target[*row]));
            assert!(right.count() > 395, "{classes}");
            let held_out = learned.held_out.unwrap();
            assert!(held_out.rows.len() > 390);
            let rows = held_out.rows.iter().enumerate();
            let right =
                rows.filter(|(at, row)| near(&held_out.predictions, *at, target[**row as usize]));
            assert!(right.count() > 370, "{classes}");
        }
    }

    #[test]
    fn one_tree_parts_all_that_can_be_parted() {
        let (features, target) = quarters();
        let rows = Rows::plain(&features, &target, 4);
        let model = learn(&DecisionTree, rows, &[], 7).model;
        assert_eq!(nodes(&model), 7);
        let predictions = model.predict(&features);
        for (row, class) in target.iter().enumerate() {
            assert_eq!(predictions.get(row, *class as usize), Some(1.0));
        }
    }

    #[test]
    fn leaves_hold_weighted_shares() {
        let features = Matrix::zeros(3, 1);
        let weights = Some(&[1.0, 2.0, 1.0][..]);
        let learned = |target: &[f64], classes| {
            let rows = Rows {
                weights,
                ..Rows::plain(&features, target, classes)
            };
            let model = learn(&DecisionTree, rows, &[], 7).model;
            model.predict(&Matrix::zeros(1, 1)).values
        };
        assert_eq!(learned(&[0.0, 1.0, 2.0], 3), [0.25, 0.5, 0.25]);
        assert_eq!(learned(&[0.0, 1.0, 1.0], 2), [0.25, 0.75]);
        assert_eq!(learned(&[1.0, 3.0, 5.0], 0), [3.0]);
    }

    #[test]
    fn weights_move_the_first_split() {
        let features = Matrix::new(6, 1, vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let target = [0.0, 1.0, 0.0, 0.0, 1.0, 1.0];
        let threshold = |weights| {
            let rows = Rows {
                weights,
                ..Rows::plain(&features, &target, 2)
            };
            let model = learn(&DecisionTree, rows, &[("max_depth", 1)], 0).model;
            let Model::ForestClassifier { forest, .. } = model else {
                panic!()
            };
            forest.nodes()[0].threshold
        };
        let near = |now: f64, expected: f64| assert!((now - expected).abs() < 1e-12, "{now}");
        near(threshold(None), 3.5);
        near(threshold(Some(&[9.0, 9.0, 1.0, 1.0, 1.0, 1.0])), 0.5);
    }

    #[test]
    fn the_seed_decides() {
        let (features, target) = quarters();
        let bytes = |seed| {
            let rows = Rows::plain(&features, &target, 4);
            let learned = learn(&RandomForest, rows, &[("n_estimators", 3)], seed);
            learned.model.encode()
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }

    #[test]
    fn units_are_in_the_bag_or_out_of_it() {
        let features = Matrix::zeros(60, 1);
        let units: Vec<u32> = (0..60).map(|row| row / 3).collect();
        let rows = Rows {
            units: Some(&units),
            ..Rows::plain(&features, &[0.0; 60], 2)
        };
        let mut weights = vec![0.0; 60];
        bootstrap(rows, &mut Random::new(1), &mut weights);
        assert!(weights.iter().sum::<f64>() > 59.0);
        let equal = |unit: &[f64]| unit.iter().all(|w| w.to_bits() == unit[0].to_bits());
        assert!(weights.chunks(3).all(equal));
        assert!(weights.contains(&0.0));
    }

    #[test]
    fn limits_are_counted_as_scikit_learn_does() {
        let (features, target) = quarters();
        let halves = halves(&target);
        for (target, classes) in [(&target, 4), (&halves, 2), (&target, 0)] {
            let rows = Rows::plain(&features, target, classes);
            for given in [
                [("max_depth", 1), ("max_features", 2)],
                [("min_samples_leaf", 150), ("max_features", 2)],
            ] {
                let model = learn(&DecisionTree, rows, &given, 7).model;
                assert_eq!(nodes(&model), 3, "{classes}");
            }
            let model = learn(&DecisionTree, rows, &[("min_samples_split", 401)], 7).model;
            assert_eq!(nodes(&model), 1);
        }
    }
}
