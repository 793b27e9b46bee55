//! A shadow that is wished for by the settings, and not begun by anybody.

use super::{
    book::{Changed, Decision, Swaps, bounded},
    event::{Admitted, Event, Trial},
    percent::Percent,
};
use crate::contract::{Digest, Stage};

impl Swaps {
    /// Sees to it that a component is given copies of all calls of a stage, unless it is in force: by the
    /// log, or where that says nothing, by the settings (`in_force`). A shadow that somebody has begun is
    /// left alone; one that settings have wished for gives way, because they wish for another now. It may
    /// be asked before each run and by many processes: where all is so, nothing is written.
    pub async fn ensure_shadow(
        &self,
        stage: Stage,
        component: &Admitted,
        in_force: Option<Digest>,
        who: &str,
    ) -> anyhow::Result<Changed> {
        bounded(component)?;
        let wanted = component.component;
        let (seq, ()) = self
            .change(stage, who, |state| {
                let there = state.shadow.as_ref().map(|arm| arm.component);
                let begun = there.is_some_and(|there| {
                    let admitted = state.admitted(&there);
                    there == wanted || admitted.is_none_or(|admitted| admitted.wished.is_none())
                });
                if begun || state.current.or(in_force) == Some(wanted) {
                    return Ok(Decision::Leave(()));
                }
                let event = Event::Shadow(Trial {
                    stage,
                    component: component.clone(),
                    percent: Percent::ALL,
                });
                Ok(Decision::Append(event, ()))
            })
            .await?;
        Ok(seq.map_or(Changed::Already, Changed::Done))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        pipeline::{
            Pipeline,
            swaps::{ArmKind, Own, Undone, Wished},
            trials::Gate,
        },
        store::memory,
        trust::Trust,
    };

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    const STAGE: Stage = Stage::Train;

    fn component(name: u8, wished: Option<Wished>) -> Admitted {
        Admitted {
            component: Digest::of(&[name]),
            size: 1,
            signature: None,
            key: None,
            report: "{}".to_owned(),
            wished,
        }
    }

    #[tokio::test]
    async fn a_wish_is_entered_once_and_promoted_and_comes_back_after_a_rollback() {
        let pipeline = Pipeline::new(memory());
        let swaps = pipeline.swaps();
        let own = component(1, Some(Wished::BuiltIn));
        let external = Digest::of(b"external");
        let wish = async || swaps.ensure_shadow(STAGE, &own, Some(external), "w").await;
        let done = |changed| matches!(changed, Ok(Changed::Done(_)));
        assert!(done(wish().await));
        assert_eq!(wish().await.unwrap(), Changed::Already);
        let state = swaps.state(STAGE).await.unwrap();
        let arm = state.shadow.as_ref().unwrap();
        assert_eq!(arm.component, own.component);
        assert!((0..99_u8).all(|key| arm.takes(&[key])));
        let gate = Gate {
            matches: 1,
            forced: false,
        };
        let refused = pipeline.promote(STAGE, gate, ("w", "")).await;
        let line = refused.unwrap_err().to_string();
        assert!(line.contains("0 of the 1 match"), "{line}");
        let forced = Gate {
            forced: true,
            ..gate
        };
        let promoted = pipeline.promote(STAGE, forced, ("w", "sure")).await;
        assert_eq!(promoted.unwrap(), own.component);
        // It is in force, by its name, whatever the settings say.
        assert_eq!(wish().await.unwrap(), Changed::Already);
        let back = swaps.rollback(STAGE, "w", "").await.unwrap();
        let to_nothing = Undone::Back {
            from: Some(own.component),
            to: None,
        };
        assert_eq!(back, to_nothing);
        assert!(done(wish().await));
        // One that is in force by the settings is no shadow.
        swaps.rollback(STAGE, "w", "").await.unwrap();
        let changed = swaps.ensure_shadow(STAGE, &own, Some(own.component), "w");
        assert_eq!(changed.await.unwrap(), Changed::Already);
        assert!(swaps.state(STAGE).await.unwrap().shadow.is_none());
    }

    #[tokio::test]
    async fn what_somebody_has_begun_stays_and_what_was_wished_gives_way() {
        let pipeline = Pipeline::new(memory());
        let swaps = pipeline.swaps();
        let by_hand = component(2, None);
        let share = Percent::ALL;
        let begun = swaps.attempt(ArmKind::Shadow, (STAGE, &by_hand), share, "w");
        begun.await.unwrap();
        let [first, second] = [3, 4].map(|name| component(name, Some(Wished::External)));
        let wish = async |wanted: &Admitted| {
            let changed = swaps.ensure_shadow(STAGE, wanted, None, "w").await.unwrap();
            let state = swaps.state(STAGE).await.unwrap();
            (changed, state.shadow.as_ref().unwrap().component)
        };
        assert_eq!(wish(&first).await, (Changed::Already, by_hand.component));
        swaps.rollback(STAGE, "w", "").await.unwrap();
        assert_eq!(wish(&first).await.1, first.component);
        assert_eq!(wish(&second).await.1, second.component);
    }

    #[tokio::test]
    async fn of_many_processes_one_enters_it() {
        let store = memory();
        let pipelines: Vec<_> = (0..8).map(|_| Pipeline::new(store.clone())).collect();
        let own = component(1, Some(Wished::BuiltIn));
        let wishes = pipelines
            .iter()
            .map(|pipeline| pipeline.swaps().ensure_shadow(STAGE, &own, None, "w"));
        let mut entered = 0;
        for wish in futures(wishes).await {
            entered += usize::from(wish.unwrap() != Changed::Already);
        }
        assert_eq!(entered, 1);
        assert_eq!(pipelines[0].swaps().log().await.unwrap().len(), 1);
    }

    /// All of them, at the same time.
    async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
        let mut all: Vec<_> = all.map(Box::pin).collect();
        let mut done: Vec<Option<F::Output>> = all.iter().map(|_| None).collect();
        std::future::poll_fn(|context| {
            for (future, done) in all.iter_mut().zip(&mut done) {
                if done.is_none()
                    && let std::task::Poll::Ready(output) = future.as_mut().poll(context)
                {
                    *done = Some(output);
                }
            }
            if done.iter().all(Option::is_some) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        done.into_iter().flatten().collect()
    }

    #[tokio::test]
    async fn what_is_the_processs_own_needs_no_signature_but_a_pin_counts() {
        let own = component(1, Some(Wished::BuiltIn));
        let digest = own.component;
        let trusting = async |pin: Option<Digest>, owns: bool| {
            let pins = pin.map(|pin| (STAGE, pin)).into_iter().collect();
            let trust = Trust::new(&[KEY.to_owned()], true, pins).unwrap();
            let pipeline = Pipeline::new(memory());
            let pipeline = pipeline.owning(Own::new(move |_, there| owns && *there == digest));
            let pipeline = pipeline.trusting(Arc::new(trust));
            let swaps = pipeline.swaps();
            swaps.ensure_shadow(STAGE, &own, None, "w").await.unwrap();
            let state = swaps.state(STAGE).await.unwrap();
            swaps.accepts(&state, &digest).await
        };
        trusting(None, true).await.unwrap();
        trusting(Some(digest), true).await.unwrap();
        assert!(trusting(None, false).await.is_err());
        let pinned = trusting(Some(Digest::of(b"another")), true).await;
        assert!(pinned.unwrap_err().to_string().contains("trust.pins"));
    }
}
