//! From train rows to a bundle.

use septet_kit::{
    bundle::{Bundle, FORMAT, LineageInput, Manifest},
    drift::Reference,
    matrix::Matrix,
    metrics::Metrics,
    preprocessing::Preprocessing,
    table::Table,
    trained::{Loaded, answers, feature_reference, record},
};

use crate::{
    algorithm::{HeldOut, Progress, Rows},
    folds,
    plan::{Candidate, Choice, Plan, bags_tell},
    score::{self, Decision, Metric},
    selection,
    validation::{self, OutOfFold, Parts, decide, predict_train, targets},
};

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
    /// On the train rows: `train_…`; `cv_…` the mean over the folds and `cv_std` their standard
    /// deviation; `oob_…` on rows that a part of the model did not see.
    pub metrics: Metrics,
    /// For the reader of the report.
    pub notes: Vec<String>,
}

/// What is known before all rows are learned from.
struct Tried<'p, 'q> {
    candidate: Candidate,
    seen: Unseen,
    notes: Vec<String>,
    /// One part is left.
    parts: Parts<'p, 'q>,
}

/// Of the train rows, predictions by what did not learn from them.
enum Unseen {
    /// Of models of folds.
    Folds(OutOfFold),
    /// Of parts of the model.
    Bags(HeldOut),
    /// The rows can't be cut, or a fold failed.
    None,
}

impl Plan {
    /// Trains.
    pub fn train(
        &self,
        loaded: &Loaded,
        given: Given,
        progress: &mut Progress<'_>,
    ) -> Result<Trained, String> {
        let preprocessing = &given.preprocessing;
        let Loaded {
            features, target, ..
        } = loaded;
        if features.rows == 0 {
            return Err("there are no train rows".to_owned());
        }
        let units = folds::number(&loaded.units);
        let rows = Rows {
            features,
            target,
            classes: preprocessing.classes.len(),
            weights: loaded.weights.as_deref(),
            units: units.as_deref().filter(|_| bags_tell(preprocessing.folds)),
        };
        let Tried {
            candidate,
            mut seen,
            mut notes,
            mut parts,
        } = self.attempt(rows, loaded, &given, progress)?;
        let Candidate {
            algorithm,
            settings,
        } = &candidate;
        let learned = algorithm.learn(rows, settings, given.seed, &mut |done, total| {
            parts.step(done, total);
        })?;
        notes.extend(learned.notes);
        let model = learned.model;
        if let (Unseen::None, Some(held_out), true) =
            (&seen, learned.held_out, bags_tell(preprocessing.folds))
            && !held_out.rows.is_empty()
        {
            seen = Unseen::Bags(held_out);
        }
        let decision = self.decision(&seen, target, &mut notes);
        let (some, predictions) =
            predict_train(&model, features, &mut notes, &mut || parts.repeat());
        let truth = targets(target, &some);
        let mut figures = self.figures("train", &truth, &predictions, decision);
        match &seen {
            Unseen::Folds(folds) => {
                let spread = folds.spread(self.metric, target, decision, self.positive);
                if let Some(spread) = spread {
                    figures.insert(format!("cv_{}", self.metric.name()), spread.mean);
                    figures.insert("cv_std".to_owned(), spread.std);
                }
            }
            Unseen::Bags(bags) => {
                let truth = targets(target, &bags.rows);
                figures.extend(self.figures("oob", &truth, &bags.predictions, decision));
            }
            Unseen::None => {}
        }
        parts.next();
        let unseen = match seen {
            Unseen::Folds(folds) => folds.held_out.predictions,
            Unseen::Bags(bags) => bags.predictions,
            Unseen::None => predictions,
        };
        let manifest = Manifest {
            format: FORMAT,
            algorithm: algorithm.name().to_owned(),
            parameters: settings.values().clone(),
            seed: given.seed,
            feature_reference: feature_reference(preprocessing, features, &mut notes, &mut || {
                parts.repeat();
            }),
            threshold: decision.map(|decision| decision.threshold),
            metrics: figures.clone(),
            prediction_reference: Reference::fit(
                &answers(preprocessing, &unseen, predicted(&unseen, decision)),
                &[],
            ),
            recorded: record(preprocessing, &given.sample, features, |_, rows| {
                Ok(model.predict(rows))
            })?,
            reference: given.reference,
            lineage: given.lineage,
            preprocessing: given.preprocessing,
        };
        Ok(Trained {
            bundle: Bundle::new(manifest, model)?,
            metrics: figures,
            notes,
        })
    }

    /// What can be told before all rows are learned from: which algorithm, and what it predicts
    /// for rows that it did not see.
    fn attempt<'p, 'q>(
        &self,
        rows: Rows<'_>,
        loaded: &Loaded,
        given: &Given,
        progress: &'p mut Progress<'q>,
    ) -> Result<Tried<'p, 'q>, String> {
        let Given {
            preprocessing,
            seed,
            ..
        } = given;
        let one = match &self.choice {
            Choice::One(one) => one,
            Choice::Auto(several) => {
                let both = (rows, loaded);
                let best = selection::best(self, several, both, preprocessing, *seed, progress)?;
                return Ok(Tried {
                    candidate: best.candidate,
                    seen: best.out_of_fold.map_or(Unseen::None, Unseen::Folds),
                    notes: best.notes,
                    parts: best.parts,
                });
            }
        };
        let (count, columns) = (rows.features.rows, rows.features.columns);
        let Candidate {
            algorithm,
            settings,
        } = one;
        let cost = algorithm.row_cost(count as u64, columns as u64);
        let most = validation::most_rows(count, columns, cost, false);
        let folds = if algorithm.holds_out() && bags_tell(preprocessing.folds) {
            vec![]
        } else {
            validation::folds(preprocessing, loaded, self.folds, most, *seed)
        };
        let mut notes = vec![];
        let mut parts = Parts::new(progress, folds.len() + 1);
        let seen = if folds.is_empty() {
            Unseen::None
        } else {
            if most < count {
                notes.push(format!("{most} of {count} train rows were cross-validated"));
            }
            // All rows may teach what a part of them does not, as where a fold holds all rows of a
            // class: then there are only no figures of it.
            match validation::out_of_fold(*algorithm, settings, rows, &folds, *seed, &mut parts) {
                Ok(tried) => Unseen::Folds(tried),
                Err(why) => {
                    notes.push(format!(
                        "there is no cross-validation, as a fold failed: {why}"
                    ));
                    parts.skip();
                    Unseen::None
                }
            }
        };
        Ok(Tried {
            candidate: one.clone(),
            seen,
            notes,
            parts,
        })
    }

    /// How a probability becomes one of two classes, if one is positive.
    fn decision(&self, seen: &Unseen, target: &[f64], notes: &mut Vec<String>) -> Option<Decision> {
        let positive = self.positive?;
        if let Some(threshold) = self.threshold {
            return Some(Decision {
                positive,
                threshold,
            });
        }
        let held_out = match seen {
            Unseen::Folds(folds) => &folds.held_out,
            Unseen::Bags(bags) => bags,
            Unseen::None => {
                notes.push(
                    "the threshold is ½: there is no cross-validation of the train rows to choose \
                     one by"
                        .to_owned(),
                );
                return Some(Decision {
                    positive,
                    threshold: 0.5,
                });
            }
        };
        let decision = decide(self.metric, positive, target, held_out);
        notes.push(format!(
            "threshold {:.4} was chosen by {} on {} predictions for rows that were not learned from",
            decision.threshold,
            self.metric.of_threshold().name(),
            held_out.rows.len()
        ));
        Some(decision)
    }

    /// Metrics under names that begin with `prefix`.
    fn figures(
        &self,
        prefix: &str,
        target: &[f64],
        predictions: &Matrix,
        decision: Option<Decision>,
    ) -> Metrics {
        let several: &[Metric] = if predictions.columns > 1 {
            &[
                Metric::Accuracy,
                Metric::BalancedAccuracy,
                Metric::LogLoss,
                Metric::RocAuc,
            ]
        } else {
            &[Metric::R2, Metric::Rmse, Metric::Mae]
        };
        let own = [self.metric];
        let all = several.iter().chain(&own);
        all.filter_map(|metric| {
            let value = metric.of(target, predictions, decision, self.positive)?;
            Some((format!("{prefix}_{}", metric.name()), value))
        })
        .collect()
    }
}

/// The numbers of the predicted classes.
fn predicted(predictions: &Matrix, decision: Option<Decision>) -> Vec<u32> {
    let classes = score::classes(predictions, decision).into_iter();
    classes.map(|class| class as u32).collect()
}

#[cfg(test)]
pub(crate) mod tests;
