//! `septet grants`: what each stage may touch, on one page, and which grants were never used.

use std::collections::BTreeMap;

use septet::{contract::Stage, stage::Capability};
use serde_json::json;

use super::{output, session::Origin, stages, swaps};

/// What a grant reaches, in words: every scope comes from the invocation.
const fn scope(capability: Capability) -> &'static str {
    match capability {
        Capability::BlobList => "the names of its inputs",
        Capability::BlobRead => "its inputs, pinned models, and what it wrote itself",
        Capability::BlobWrite => "new blobs, unseen until the commit",
        Capability::Transforms => "the run's own transforms",
        Capability::Models => "the candidate and the pinned champion",
        Capability::Queue => "messages, sent at the commit, to",
        Capability::RegistryRead => "the run's own model, as pinned",
        Capability::RegistryPropose => "the run's own model, at the commit",
        Capability::Log => "lines and progress, bounded",
    }
}

/// Prints the whole table.
pub(crate) async fn grants(origin: &Origin) -> anyhow::Result<()> {
    let grants = origin.grants()?;
    // Where there is no store, nothing was used yet.
    let pipeline = swaps::existing(origin).await?;
    let usage = match &pipeline {
        Some(pipeline) => Some(pipeline.usage().await?),
        None => None,
    };
    let in_force = match &pipeline {
        Some(pipeline) => pipeline.swaps().all().await?,
        None => std::sync::Arc::default(),
    };
    let externals = origin.settings.externals()?;
    let external = |stage: Stage| stages::external(&externals, &in_force.stage(stage));
    let none = BTreeMap::new();
    let used = |stage: Stage, capability: Capability| {
        let counts = usage
            .as_ref()
            .and_then(|usage| usage.get(&stage))
            .unwrap_or(&none);
        counts.get(capability.name()).copied().unwrap_or(0)
    };
    let reach = |stage: Stage, capability: Capability| {
        let labels: Vec<String> = grants.labels(stage).into_iter().collect();
        match capability {
            Capability::Queue => format!("{}: {}", scope(capability), labels.join(", ")),
            _ => scope(capability).to_owned(),
        }
    };
    if origin.global.json {
        let stages: Vec<_> = Stage::ALL
            .into_iter()
            .map(|stage| {
                let grants: Vec<_> = grants
                    .of(stage)
                    .iter()
                    .map(|capability| {
                        json!({
                            "capability": capability.name(),
                            "scope": reach(stage, *capability),
                            "calls": usage.is_some().then(|| used(stage, *capability)),
                        })
                    })
                    .collect();
                match external(stage) {
                    None => json!({ "stage": stage, "grants": grants }),
                    Some(external) => json!({
                        "stage": stage, "external": external.shown(), "sandboxed": false,
                    }),
                }
            })
            .collect();
        return output::json(&json!({ "stages": stages }));
    }
    let mut rows = Vec::new();
    for stage in Stage::ALL {
        if let Some(external) = external(stage) {
            rows.push(vec![
                stage.to_string(),
                "external".to_owned(),
                format!("not sandboxed: {}", output::harmless(&external.shown())),
                "–".to_owned(),
            ]);
            continue;
        }
        for (at, capability) in grants.of(stage).iter().enumerate() {
            let calls = match (&usage, used(stage, *capability)) {
                (None, _) => "–".to_owned(),
                (Some(_), 0) => "never used".to_owned(),
                (Some(_), calls) => calls.to_string(),
            };
            rows.push(vec![
                if at == 0 {
                    stage.to_string()
                } else {
                    String::new()
                },
                capability.name().to_owned(),
                reach(stage, *capability),
                calls,
            ]);
        }
    }
    rows.push(vec![
        "transform".into(),
        "none".into(),
        "a user's transform gets rows, gives rows".into(),
        "–".into(),
    ]);
    output::text_line(&output::table(
        &["stage", "grant", "reaches", "calls"],
        &["calls"],
        rows,
    ))
}
