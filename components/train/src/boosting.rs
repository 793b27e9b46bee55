//! Gradient boosting: each tree learns what those before it left, as scikit-learn's
//! `GradientBoostingRegressor` with squared loss does.

use septet_kit::{
    model::{Forest, Model, walk},
    preprocessing::Task,
};

use crate::{
    algorithm::{Algorithm, Learned, Progress, Rows},
    forest::bins_memory,
    settings::{Setting, Settings},
    tree::{self, Bins, Grower, Limits, Random, Request, ValueTally},
};

/// Rows between two reports while a tree is added.
const STEP: usize = 1 << 16;

/// See the module's page.
pub(crate) struct GradientBoosting;

impl Algorithm for GradientBoosting {
    fn name(&self) -> &'static str {
        "gradient-boosting"
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Regression]
    }

    fn settings(&self, _: Task) -> Vec<Setting> {
        let mut settings = vec![
            Setting::whole("n_estimators", Some(100), 1, 10_000),
            Setting::number("learning_rate", 0.1, 1e-6, 1.0),
        ];
        settings.extend(tree::settings(Some(3), "all"));
        settings
    }

    fn memory(&self, rows: u64, columns: u64, _: u64, settings: &Settings) -> u64 {
        let trees = u64::from(settings.whole("n_estimators").unwrap_or(100));
        let nodes = tree::nodes(rows, 0, settings).saturating_mul(trees);
        // Encoding copies the trees twice, when the rows are gone.
        bins_memory(rows, columns).saturating_add(nodes.saturating_mul(2))
    }

    fn effort(&self, rows: u64, columns: u64, settings: &Settings) -> u64 {
        let trees = u64::from(settings.whole("n_estimators").unwrap_or(100));
        let levels = u64::from(settings.whole("max_depth").unwrap_or(3));
        [columns, trees, levels]
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
        let features = rows.features;
        let columns = features.columns;
        let trees = u64::from(settings.whole("n_estimators").unwrap_or(100));
        let rate = settings.number("learning_rate");
        let bins = Bins::of(features, &mut || progress(0, Some(trees)));
        let mut grower = Grower::new(&bins, Limits::of(settings, columns));
        let weights: Vec<f64> = (0..features.rows).map(|row| rows.weight(row)).collect();
        let total = rows.total();
        let parts = rows.target.iter().zip(&weights);
        let base: f64 = parts.map(|(value, weight)| value * (weight / total)).sum();
        let mut rest: Vec<f64> = rows.target.iter().map(|value| value - base).collect();
        let (mut roots, mut nodes) = (vec![], vec![]);
        let mut random = Random::new(seed);
        for tree in 0..trees {
            let root = nodes.len() as u32;
            grower.grow(
                &mut ValueTally::new(&rest),
                &mut Request {
                    weights: &weights,
                    random: &mut random,
                    nodes: &mut nodes,
                    leaf: &mut |mean| rate * mean.first().copied().unwrap_or_default(),
                    tick: &mut || progress(tree, Some(trees)),
                },
            )?;
            for (row, rest) in rest.iter_mut().enumerate() {
                *rest -= walk(&nodes, root, features.row(row));
                if row % STEP == 0 {
                    progress(tree, Some(trees));
                }
            }
            roots.push(root);
            progress(tree + 1, Some(trees));
        }
        let forest = Forest::new(columns, roots, nodes)?;
        let model = Model::BoostedRegressor { base, forest }.checked()?;
        Ok(Learned::of(model))
    }
}

#[cfg(test)]
mod tests {
    use septet_kit::matrix::Matrix;
    use serde_json::json;

    use super::*;

    fn learn(features: &Matrix, target: &[f64], weights: Option<&[f64]>, trees: u32) -> Learned {
        let given = [("n_estimators".to_owned(), json!(trees))].into();
        let known = GradientBoosting.settings(Task::Regression);
        let settings = Settings::check("x", &known, &given).unwrap();
        let rows = Rows {
            weights,
            ..Rows::plain(features, target, 0)
        };
        GradientBoosting
            .learn(rows, &settings, 0, &mut |_, _| {})
            .unwrap()
    }

    /// Expected predictions: scikit-learn 1.9, `GradientBoostingRegressor(n_estimators=3)`.
    #[test]
    fn predictions_are_scikit_learns() {
        let features = Matrix::new(6, 1, vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let target = [1.0, 3.0, 2.0, 5.0, 4.0, 9.0];
        let plain = learn(&features, &target, None, 3).model.predict(&features);
        let weights = Some(&[1.0, 2.0, 1.0, 0.5, 1.0, 3.0][..]);
        let weighted = learn(&features, &target, weights, 3)
            .model
            .predict(&features);
        for (now, expected) in plain
            .values
            .iter()
            .zip([3.187, 3.5935, 3.5935, 4.271, 4.0, 5.355])
        {
            assert!((now - expected).abs() < 1e-9, "{plain:?}");
        }
        for (now, expected) in weighted.values.iter().zip([
            3.916,
            4.367_666_666_666_667,
            4.367_666_666_666_667,
            5.0,
            4.729,
            6.084,
        ]) {
            assert!((now - expected).abs() < 1e-9, "{weighted:?}");
        }
    }
}
