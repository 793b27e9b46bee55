//! Nearest neighbours: the train rows are the model, as in scikit-learn's `KNeighborsClassifier` and
//! `KNeighborsRegressor`.
//!
//! Weights of rows are refused, as scikit-learn has none: which rows are near does not depend on
//! them.

use septet_kit::{
    model::{MAX_NEIGHBOURS, Model, Neighbours},
    preprocessing::Task,
};

use crate::{
    algorithm::{Algorithm, Learned, Progress, Rows},
    settings::{Range, Setting, Settings},
};

/// See the module's page.
pub(crate) struct NearestNeighbours;

impl Algorithm for NearestNeighbours {
    fn name(&self) -> &'static str {
        "knn"
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Classification, Task::Regression]
    }

    fn settings(&self, _: Task) -> Vec<Setting> {
        vec![
            Setting::whole("n_neighbors", Some(5), 1, MAX_NEIGHBOURS as u32),
            Setting {
                name: "weights",
                range: Range::Choice {
                    words: &["uniform", "distance"],
                },
            },
        ]
    }

    fn memory(&self, rows: u64, columns: u64, _: u64, _: &Settings) -> u64 {
        // The rows, the model's, and its bytes twice.
        let cells = rows.saturating_mul(columns.saturating_add(1));
        cells.saturating_mul(8 * 4)
    }

    fn weighs(&self) -> bool {
        false
    }

    fn row_cost(&self, rows: u64, columns: u64) -> Option<u64> {
        Some(rows.saturating_mul(columns))
    }

    fn learn(
        &self,
        rows: Rows<'_>,
        settings: &Settings,
        _: u64,
        progress: &mut Progress<'_>,
    ) -> Result<Learned, String> {
        let asked = settings.whole("n_neighbors").unwrap_or(5) as usize;
        let count = asked.min(rows.features.rows);
        let by_distance = settings.is("weights", "distance");
        let neighbours = Neighbours::new(
            rows.features.clone(),
            rows.target.to_vec(),
            count,
            by_distance,
        )?;
        progress(1, Some(1));
        let model = if rows.classes > 0 {
            Model::NeighboursClassifier {
                classes: rows.classes,
                neighbours,
            }
        } else {
            Model::NeighboursRegressor(neighbours)
        };
        let mut learned = Learned::of(model.checked()?);
        if count < asked {
            learned.notes.push(format!(
                "knn asks all {count} train rows, because there are fewer than {asked}"
            ));
        }
        Ok(learned)
    }
}

#[cfg(test)]
mod tests {
    use septet_kit::matrix::Matrix;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_rows_are_the_model() {
        let features = Matrix::new(3, 1, vec![0.0, 1.0, 5.0]).unwrap();
        let known = NearestNeighbours.settings(Task::Classification);
        let learn = |given: &serde_json::Value, classes| {
            let given = serde_json::from_value(given.clone()).unwrap();
            let settings = Settings::check("knn", &known, &given).unwrap();
            let rows = Rows::plain(&features, &[0.0, 1.0, 1.0], classes);
            NearestNeighbours
                .learn(rows, &settings, 0, &mut |_, _| {})
                .unwrap()
        };
        let at = Matrix::new(1, 1, vec![0.25]).unwrap();
        let one = learn(&json!({"n_neighbors": 1}), 2).model;
        assert_eq!(one.predict(&at).values, [1.0, 0.0]);
        let two = json!({"n_neighbors": 2, "weights": "distance"});
        assert_eq!(learn(&two, 2).model.predict(&at).values, [0.75, 0.25]);
        assert_eq!(learn(&two, 0).model.predict(&at).values, [0.25]);
        assert_eq!(learn(&json!({}), 2).notes.len(), 1);
    }
}
