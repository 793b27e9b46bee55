//! `auto`: the algorithm whose cross-validation is the best.

use septet_kit::preprocessing::Preprocessing;
use septet_kit::trained::Loaded;

use crate::{
    algorithm::{Progress, Rows},
    plan::{Candidate, Plan},
    score::Decision,
    validation::{self, OutOfFold, Parts, decide},
};

/// What was chosen.
pub(crate) struct Best<'p, 'q> {
    pub(crate) candidate: Candidate,
    /// Of the candidate; none if the rows can't be cut.
    pub(crate) out_of_fold: Option<OutOfFold>,
    /// One a candidate, and the choice.
    pub(crate) notes: Vec<String>,
    /// One part is left: learning from all rows.
    pub(crate) parts: Parts<'p, 'q>,
}

/// Compares the candidates with their default hyper-parameters on the same folds by the plan's
/// metric; of equally good ones the first, which has the simpler model. Of two classes each is
/// compared with the threshold that is best for it, as it would be used.
pub(crate) fn best<'p, 'q>(
    plan: &Plan,
    candidates: &[Candidate],
    (rows, loaded): (Rows<'_>, &Loaded),
    preprocessing: &Preprocessing,
    seed: u64,
    progress: &'p mut Progress<'q>,
) -> Result<Best<'p, 'q>, String> {
    let mut notes = vec![];
    let mut fit = vec![];
    for candidate in candidates {
        match candidate.obstacle(loaded, preprocessing) {
            None => fit.push(candidate),
            Some(why) => notes.push(format!("auto: {} was left out: {why}", candidate.name())),
        }
    }
    let cost = fit.iter().filter_map(|candidate| {
        let (rows, columns) = (rows.features.rows as u64, rows.features.columns as u64);
        candidate.algorithm.row_cost(rows, columns)
    });
    let (count, columns) = (rows.features.rows, rows.features.columns);
    let most = validation::most_rows(count, columns, cost.max(), true);
    let folds = validation::folds(preprocessing, loaded, plan.folds, most, seed);
    if most < count {
        notes.push(format!(
            "auto: {most} of {count} train rows were cross-validated"
        ));
    }
    let mut parts = Parts::new(progress, folds.len() * fit.len() + 1);
    let mut best: Option<(f64, &Candidate, Option<OutOfFold>)> = None;
    if let (true, Some(first)) = (folds.is_empty(), fit.first()) {
        notes.push("auto: the train rows can't be cut for a cross-validation".to_owned());
        best = Some((0.0, first, None));
    }
    for candidate in fit.iter().filter(|_| !folds.is_empty()) {
        let Candidate {
            algorithm,
            settings,
        } = candidate;
        let tried = validation::out_of_fold(*algorithm, settings, rows, &folds, seed, &mut parts);
        let tried = match tried {
            Ok(tried) => tried,
            Err(why) => {
                notes.push(format!("auto: {} was left out: {why}", candidate.name()));
                continue;
            }
        };
        let decision = plan.positive.map(|positive| match plan.threshold {
            Some(threshold) => Decision {
                positive,
                threshold,
            },
            None => decide(plan.metric, positive, rows.target, &tried.held_out),
        });
        let spread = tried.spread(plan.metric, rows.target, decision, plan.positive);
        let Some(spread) = spread else {
            notes.push(format!(
                "auto: {} was left out: {} is not defined on any fold",
                candidate.name(),
                plan.metric.name()
            ));
            continue;
        };
        notes.push(format!(
            "auto: {} {} {:.4} ± {:.4}",
            candidate.name(),
            plan.metric.name(),
            spread.mean,
            spread.std
        ));
        let merit = plan.metric.merit(spread.mean);
        if best.as_ref().is_none_or(|(other, ..)| merit > *other) {
            best = Some((merit, candidate, Some(tried)));
        }
    }
    let (_, candidate, out_of_fold) = best.ok_or_else(|| {
        let notes = notes.join("; ");
        format!("auto found no algorithm for these rows: {notes}")
    })?;
    notes.push(format!("auto chose {}", candidate.name()));
    Ok(Best {
        candidate: candidate.clone(),
        out_of_fold,
        notes,
        parts,
    })
}
