//! The champion on the candidate's test rows.

use septet_kit::{
    evaluation::{Champion, Differences, Intervals},
    metrics::Metrics,
    preprocessing::Preprocessing,
    scoring::Prepared,
    show::shown,
};

use crate::{
    gate::Rival,
    measure::Measured,
    outside::{Current, Outside, Refusal},
    rows::{SHOWN, score},
};

/// The champion's predictions for the same rows, or why there are none. What goes wrong with the
/// champion is no error, so that a new candidate always gets a verdict.
pub(crate) fn meet(
    current: &Current,
    candidate: &Preprocessing,
    rows: u64,
    done: &mut u64,
    outside: &mut Outside<'_>,
) -> Result<Result<Prepared, String>, Refusal> {
    let plan = match &current.manifest {
        Ok(manifest) => &manifest.preprocessing,
        Err(reason) => return Ok(Err(format!("it can't be read: {reason}"))),
    };
    if plan.target != candidate.target {
        return Ok(Err(format!(
            "it predicts '{}', not '{}'",
            shown(&plan.target, SHOWN),
            shown(&candidate.target, SHOWN)
        )));
    }
    if plan.task != candidate.task {
        return Ok(Err(format!(
            "it does {}, not {}",
            plan.task.name(),
            candidate.task.name()
        )));
    }
    match score(
        &current.bundle,
        plan,
        &candidate.target,
        None,
        done,
        outside,
    ) {
        // Both are asked with the same rows; only that makes the resamples paired.
        Ok(scorer) if scorer.rows() != rows => Ok(Err(format!(
            "it was scored on {} rows where the candidate has {rows}",
            scorer.rows()
        ))),
        Ok(scorer) => Ok(Ok(scorer.prepared())),
        Err(Refusal::Rejected(reason) | Refusal::Failed(reason)) => {
            Ok(Err(format!("it can't predict the test rows: {reason}")))
        }
        Err(Refusal::Rows(reason)) => Err(Refusal::Rows(reason)),
    }
}

/// What the gate knows of the champion; measured, it is the third model.
pub(crate) fn rival(
    current: Option<&Current>,
    bundle: &str,
    met: Option<&Result<Prepared, String>>,
    measured: &Measured,
    metric: &str,
) -> Rival {
    let Some(current) = current else {
        return Rival::None;
    };
    let version = current.version;
    match met {
        Some(Ok(_)) => Rival::Scored {
            version,
            score: measured.score(2, metric),
            difference: measured.difference(0, 2, metric),
        },
        Some(Err(reason)) => Rival::Apart {
            version,
            reason: reason.clone(),
        },
        None if current.bundle == bundle => Rival::Same { version },
        None => Rival::None,
    }
}

pub(crate) fn champion(current: &Current, rival: &Rival, measured: &Measured) -> Champion {
    let (metrics, intervals, differences) = match rival {
        Rival::Scored { .. } => (
            measured.metrics(2),
            measured.intervals(2),
            measured.differences(0, 2),
        ),
        Rival::Same { .. } => (
            measured.metrics(0),
            measured.intervals(0),
            Differences::new(),
        ),
        Rival::None | Rival::Apart { .. } => (Metrics::new(), Intervals::new(), Differences::new()),
    };
    Champion {
        version: current.version,
        bundle: current.bundle.clone(),
        metrics,
        intervals,
        differences,
    }
}
