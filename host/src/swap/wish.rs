//! A shadow that the settings wish for: the built-in component beside another one, or the other way round.

use anyhow::Context as _;

use crate::{
    components::{EMBEDDED, builtin},
    contract::{Digest, Stage},
    pipeline::{Admitted, Changed, Pipeline, Wished},
};

/// Sees to it that `component` is given copies of all calls of a stage, unless it is in force itself;
/// `in_force` is what is where the log says nothing. It is this program's own component, or else an external
/// stage of the settings. May be asked before each run.
pub async fn wish(
    pipeline: &Pipeline,
    stage: Stage,
    component: Digest,
    in_force: Option<Digest>,
    who: &str,
) -> anyhow::Result<Changed> {
    let swaps = pipeline.swaps();
    let state = swaps.state(stage).await?;
    let there = state.shadow.as_ref().map(|arm| arm.component);
    if there == Some(component) {
        return Ok(Changed::Already);
    }
    let admitted = match builtin(stage).filter(|own| own.0 == component) {
        Some((own, size)) => {
            keep(pipeline, stage).await?;
            admitted(own, size, Wished::BuiltIn)
        }
        None => admitted(component, 0, Wished::External),
    };
    swaps.ensure_shadow(stage, &admitted, in_force, who).await
}

/// Puts the built-in component into force by name, where the settings have an external stage.
pub async fn builtin_into_force(
    pipeline: &Pipeline,
    stage: Stage,
    who: &str,
) -> anyhow::Result<Changed> {
    let (own, size) = builtin(stage).context("septet was built without this stage")?;
    keep(pipeline, stage).await?;
    let admitted = admitted(own, size, Wished::BuiltIn);
    pipeline.swaps().swap(stage, Some(&admitted), who).await
}

/// What the log names is in the store, for programs that have another one built in.
async fn keep(pipeline: &Pipeline, stage: Stage) -> anyhow::Result<()> {
    for (_, bytes) in EMBEDDED.iter().filter(|(there, _)| *there == stage) {
        pipeline.store().blobs.put(bytes).await?;
    }
    Ok(())
}

fn admitted(component: Digest, size: u64, wished: Wished) -> Admitted {
    Admitted {
        component,
        size,
        signature: None,
        key: None,
        report: "{}".to_owned(),
        wished: Some(wished),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory;

    #[tokio::test]
    async fn what_is_built_in_is_put_into_the_store_and_an_external_stage_has_no_bytes() {
        let pipeline = Pipeline::new(memory());
        let (own, size) = builtin(Stage::Deploy).unwrap();
        let external = Digest::of(b"definition");
        let wished = wish(&pipeline, Stage::Deploy, own, Some(external), "w").await;
        assert_eq!(wished.unwrap(), Changed::Done(1));
        let again = wish(&pipeline, Stage::Deploy, own, Some(external), "w").await;
        assert_eq!(again.unwrap(), Changed::Already);
        let touched = pipeline.store().blobs.touch(&own).await.unwrap();
        assert_eq!(touched, Some(size));
        let wished = wish(&pipeline, Stage::Train, external, None, "w").await;
        assert_eq!(wished.unwrap(), Changed::Done(2));
        // Neither a check of the store nor the collector stumbles over it.
        let verified = pipeline.verify(&[].into()).await.unwrap();
        assert!(verified.is_whole());
    }
}
