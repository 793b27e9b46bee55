//! Copies of requests for a shadow, made after the answer: nobody waits for what it says.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{
    answer::Predictions,
    canary::{Request, Shared},
    model::{Model, What},
    models::Models,
};
use crate::{
    contract::{Digest, Stage},
    pipeline::{Compared, Comparison, Difference, Tolerance},
};

/// A request that was answered.
pub(super) struct Copied {
    pub(super) what: Arc<What>,
    pub(super) predictions: Predictions,
    /// Who answered.
    pub(super) by: Digest,
    /// How long that took, and how much memory.
    pub(super) used: (Duration, u64),
}

impl Models {
    /// Gives the shadow that is tried its copy of a request, if it is within its share. One at a time:
    /// what comes meanwhile is counted and passed over.
    pub(super) fn mirror(self: &Arc<Self>, request: Request, copied: Copied) {
        let Request { key, body, state } = request;
        let Some(arm) = state.shadow.as_ref().filter(|arm| arm.takes(&key)) else {
            return;
        };
        // It is compared with what is in force, and with no canary.
        if copied.by != copied.what.infer || arm.component == copied.by {
            return;
        }
        let (component, revision) = (arm.component, arm.revision);
        let trials = self.pipeline.trials();
        let Some(turn) = trials.mirror() else {
            trials.compare(Stage::Infer, revision, Compared::skip);
            return self.flush_soon();
        };
        let models = Arc::clone(self);
        self.aside.spawn(async move {
            models.compare((component, revision), body, copied).await;
            models.flush_soon();
            drop(turn);
        });
    }

    async fn compare(
        self: &Arc<Self>,
        (component, revision): (Digest, u64),
        body: Arc<Vec<u8>>,
        copied: Copied,
    ) {
        let model = self.shadow(&copied.what, component).await;
        let trials = self.pipeline.trials();
        let place = format!("request {}", Digest::of(&body).short());
        let model = match model {
            Ok(model) => model,
            Err(why) => {
                return trials.compare(Stage::Infer, revision, |compared| {
                    compared.fail(&place, &why);
                });
            }
        };
        let shadow = model.answer(Shared(body), usize::MAX, None).await;
        let took = shadow.took;
        trials.compare(Stage::Infer, revision, |compared| match shadow.answer {
            Ok(predictions) => {
                compared.in_force.note(copied.used.0, copied.used.1);
                compared.shadow.note(took, shadow.memory);
                let predictions = (&copied.predictions, &predictions);
                let comparison = differences(&place, predictions, trials.tolerance());
                compared.answered(copied.by, comparison);
            }
            Err(refusal) => compared.fail(&place, refusal.line()),
        });
    }

    /// The shadow's model, one copy of it.
    async fn shadow(
        self: &Arc<Self>,
        what: &What,
        component: Digest,
    ) -> Result<Arc<Model>, String> {
        let what = Arc::new(What {
            version: what.version.clone(),
            infer: component,
        });
        if self.trying.is_broken(&what) {
            return Err(
                "the model can't be loaded with it: the log of the server says why".to_owned(),
            );
        }
        let stages = self.pipeline.swaps().last();
        let loaded = self.load(&what, &stages, true).await;
        loaded.map_err(|error| {
            self.trying.begin(&what);
            self.trying.end(&what, false);
            tracing::error!("the shadow {} can't be loaded: {error}", component.short());
            error.to_string()
        })
    }
}

/// What two answers to the same request differ in, row by row.
fn differences(
    place: &str,
    (in_force, shadow): (&Predictions, &Predictions),
    tolerance: &Tolerance,
) -> Comparison {
    let mut comparison = Comparison::default();
    let (mut one, mut other) = (in_force.rows(), shadow.rows());
    for record in 1.. {
        let (one, other) = match (one.next(), other.next()) {
            (None, None) => break,
            (one, other) => (one.unwrap_or_default(), other.unwrap_or_default()),
        };
        let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let (a, b) = (one.get(name), other.get(name));
            let numbers = a.and_then(Value::as_f64).zip(b.and_then(Value::as_f64));
            let whole = a.and_then(Value::as_i64).zip(b.and_then(Value::as_i64));
            let alike = match (whole, numbers) {
                (Some((a, b)), _) => tolerance.integers(name, a, b),
                (None, Some((a, b))) => tolerance.floats(name, a, b),
                (None, None) => a == b,
            };
            if alike {
                continue;
            }
            comparison.unlike(&format!("column {name}"), numbers);
            if !comparison.is_full() {
                let text =
                    |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
                let place = format!("{place}, record {record}, {name}");
                comparison.differ(Difference::new(&place, &text(a), &text(b)));
            }
        }
    }
    comparison
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        capability::tables::{Column, Table, Values},
        trigger::http::answer::Piece,
    };

    fn given(values: &[f64]) -> Piece {
        Piece::Given(Table {
            rows: values.len() as u32,
            columns: vec![Column {
                name: "prediction".to_owned(),
                values: Values::Floats(values.to_vec()),
                nulls: vec![],
            }],
        })
    }

    #[test]
    fn rows_are_compared_however_they_came_in_batches() {
        let tolerance = Tolerance::default();
        let differences = |place: &str, one: &Predictions, other: &Predictions| {
            let comparison = differences(place, (one, other), &tolerance);
            comparison.differences().to_vec()
        };
        let one = Predictions(vec![given(&[1.0, 2.0]), given(&[3.0])]);
        let other = Predictions(vec![given(&[1.0, 2.0, 3.0])]);
        assert!(differences("x", &one, &other).is_empty());
        let near = Predictions(vec![given(&[1.0, 2.0, 3.0 + 1e-12])]);
        assert!(differences("x", &one, &near).is_empty());
        let other = Predictions(vec![
            given(&[1.0]),
            Piece::Refused("no".to_owned()),
            given(&[3.0]),
        ]);
        let told = differences("request 1", &one, &other);
        assert_eq!(told[0].place, "request 1, record 2, error");
        assert_eq!(told[1].in_force, "2.0");
        assert_eq!((told.len(), told[1].shadow.as_str()), (2, "null"));
        let short = Predictions(vec![given(&[0.0; 100])]);
        assert_eq!(differences("x", &Predictions(vec![]), &short).len(), 20);
    }
}
