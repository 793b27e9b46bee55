//! What is tried comes into force: a canary when somebody says so, a shadow when it has answered alike often
//! enough, too.

use anyhow::bail;

use super::compared::Compared;
use crate::{
    contract::{Digest, Stage},
    pipeline::view::Pipeline,
};

/// What a shadow must have shown before it comes into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Matches in a row.
    pub matches: u64,
    /// Whether it is promoted all the same.
    pub forced: bool,
}

impl Pipeline {
    /// Puts into force what is tried: the canary, or where there is none the shadow, which must have
    /// answered alike as the gate says. Gives it.
    pub async fn promote(
        &self,
        stage: Stage,
        gate: Gate,
        (who, reason): (&str, &str),
    ) -> anyhow::Result<Digest> {
        let swaps = self.swaps();
        let state = swaps.state(stage).await?;
        let revision = state.to_promote()?.revision;
        let mut why = reason.to_owned();
        if state.canary.is_none() {
            // What this process has seen counts, too.
            self.trials().flush().await?;
            let compared = self.trials().compared(stage).await?.unwrap_or_default();
            let there = compared.in_a_row();
            if there < gate.matches && !gate.forced {
                bail!(refusal(stage, gate.matches, &compared));
            }
            let wanted = counted(gate.matches);
            let shown = if there < gate.matches {
                format!("forced with {there} of {wanted} in a row")
            } else {
                format!("{} in a row", counted(there))
            };
            why = match reason {
                "" => shown,
                reason => format!("{shown}: {reason}"),
            };
        }
        let only = Some(revision);
        swaps.promote_only(stage, only, (who, &why)).await
    }
}

/// Why a shadow stays one, in a line.
fn refusal(stage: Stage, wanted: u64, compared: &Compared) -> String {
    let there = compared.in_a_row();
    let Compared {
        same,
        different,
        failed,
        ..
    } = compared;
    let mut names: Vec<&str> = compared.columns.keys().map(String::as_str).collect();
    let more = names.len().saturating_sub(3);
    names.truncate(3);
    let names = names.join(", ");
    let what = match (compared.differences.first(), more) {
        (None, _) => String::new(),
        (Some(first), _) if names.is_empty() => format!(
            "; what differs is {} ({}, and {} of the shadow)",
            first.place, first.in_force, first.shadow
        ),
        (_, 0) => format!("; what differs is {names}"),
        (_, more) => format!("; what differs is {names} and {more} more"),
    };
    format!(
        "the shadow of {stage} has {there} of the {} in a row that it takes to promote it: {same} \
         calls were answered alike, {different} otherwise and {failed} not at all{what}; see \
         `septet shadow report {stage}`",
        counted(wanted)
    )
}

fn counted(matches: u64) -> String {
    let plural = if matches == 1 { "" } else { "es" };
    format!("{matches} match{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        pipeline::{
            swaps::{Admitted, ArmKind, Event, Percent},
            trials::{Comparison, Difference},
        },
        store::memory,
    };

    const STAGE: Stage = Stage::Ingest;

    async fn tried(kind: ArmKind) -> (Pipeline, Digest, u64) {
        let pipeline = Pipeline::new(memory());
        let component = Admitted {
            component: Digest::of(b"tried"),
            size: 1,
            signature: None,
            key: None,
            report: "{}".to_owned(),
            wished: None,
        };
        let (swaps, share) = (pipeline.swaps(), Percent::ALL);
        let begun = swaps.attempt(kind, (STAGE, &component), share, "w").await;
        begun.unwrap();
        let state = swaps.state(STAGE).await.unwrap();
        let revision = state.arm(kind).unwrap().revision;
        (pipeline, component.component, revision)
    }

    #[tokio::test]
    async fn a_shadow_takes_matches_in_a_row() {
        let (pipeline, component, revision) = tried(ArmKind::Shadow).await;
        let in_force = Digest::of(b"in force");
        let gate = Gate {
            matches: 2,
            forced: false,
        };
        let promote = async || pipeline.promote(STAGE, gate, ("w", "why")).await;
        let refused = async || promote().await.unwrap_err().to_string();
        let matched = || {
            let trials = pipeline.trials();
            trials.compare(STAGE, revision, |compared| {
                compared.answered(in_force, Comparison::default());
            });
        };
        assert!(refused().await.contains("0 of the 2 matches in a row"));
        matched();
        pipeline.trials().compare(STAGE, revision, |compared| {
            let mut comparison = Comparison::default();
            comparison.unlike("table, column age", Some((1.0, 2.0)));
            comparison.differ(Difference::new("row 1", "1", "2"));
            compared.answered(in_force, comparison);
        });
        matched();
        let line = refused().await;
        for part in ["1 of the 2 matches", "2 calls", "1 otherwise", "column age"] {
            assert!(line.contains(part), "{line}");
        }
        matched();
        assert_eq!(promote().await.unwrap(), component);
        let log = pipeline.swaps().log().await.unwrap();
        let Event::Promoted(promotion) = &log.last().unwrap().event else {
            panic!("it was not promoted");
        };
        assert_eq!(promotion.reason, "2 matches in a row: why");
    }

    #[tokio::test]
    async fn a_canary_takes_none_and_force_is_told() {
        let (pipeline, component, _) = tried(ArmKind::Canary).await;
        let gate = Gate {
            matches: 3,
            forced: false,
        };
        let promoted = pipeline.promote(STAGE, gate, ("w", "")).await.unwrap();
        assert_eq!(promoted, component);
        let (pipeline, ..) = tried(ArmKind::Shadow).await;
        let forced = Gate {
            forced: true,
            ..gate
        };
        pipeline.promote(STAGE, forced, ("w", "now")).await.unwrap();
        let log = pipeline.swaps().log().await.unwrap();
        let Event::Promoted(promotion) = &log.last().unwrap().event else {
            panic!("it was not promoted");
        };
        assert_eq!(promotion.reason, "forced with 0 of 3 matches in a row: now");
    }
}
