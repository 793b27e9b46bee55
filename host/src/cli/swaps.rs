//! `septet stages swap`, `history`, `rollback` and `promote`: which component of a stage is in force.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, ensure};
use septet::{
    components::builtin,
    contract::Stage,
    pipeline::{Changed, Gate, Percent, Pipeline, Undone},
    store::Mode,
    swap::{Offer, Swapped, Swapper, Wish, builtin_into_force, view, wish},
};
use serde_json::{Value, json};

use super::{
    args::{Promote, StagesCommand, Swap},
    drawing::Drawing,
    output,
    session::Origin,
    source,
};

/// What is shown of a stage that has no component of its own in force.
pub(crate) const BUILT_IN: &str = "built in";

/// Swaps, tells the history, or goes back or on.
pub(crate) async fn swaps(origin: &Origin, command: &StagesCommand) -> anyhow::Result<()> {
    match command {
        StagesCommand::Swap(swap) => self::swap(origin, swap).await,
        StagesCommand::History { stage } => history(origin, *stage).await,
        StagesCommand::Rollback { stage, reason } => rollback(origin, *stage, reason).await,
        StagesCommand::Promote(promote) => self::promote(origin, promote).await,
        StagesCommand::Show { .. }
        | StagesCommand::Export { .. }
        | StagesCommand::Check { .. }
        | StagesCommand::Push(_)
        | StagesCommand::Pull(_) => Ok(()),
    }
}

/// The pipeline over the store, if there is one already.
pub(crate) async fn existing(origin: &Origin) -> anyhow::Result<Option<Pipeline>> {
    let there = origin.account().is_some() || origin.store().join("septet.db").exists();
    if there {
        return origin.existing().await.map(Some);
    }
    Ok(None)
}

async fn swap(origin: &Origin, swap: &Swap) -> anyhow::Result<()> {
    let (stage, who) = (swap.stage, &origin.environment.user);
    let Some(file) = &swap.file else {
        let pipeline = origin.existing().await?;
        if let Some(share) = swap.shadow {
            return shadow_builtin(origin, &pipeline, stage, share).await;
        }
        let externals = origin.settings.externals()?;
        let done = match externals.of(stage) {
            None => pipeline.swaps().swap(stage, None, who).await?,
            Some(_) => builtin_into_force(&pipeline, stage, who).await?,
        };
        let done = done != septet::pipeline::Changed::Already;
        if origin.global.json {
            return output::json(&json!({ "stage": stage, "built_in": true, "changed": done }));
        }
        let was = if done { "" } else { " already" };
        return output::text_line(&format!("{stage} is {BUILT_IN}{was}"));
    };
    source::check(file)?;
    let session = origin.session(Mode::Create).await?;
    let swapper = Swapper::new(session.pipeline.clone(), Arc::clone(&session.stages));
    let offer = offer(file, &swapper)?;
    let swapped = tried(origin, &swapper, offer, swap).await;
    let swapped = swapped.with_context(|| file.display().to_string())?;
    told(origin, &swapped, swap, None)
}

/// Takes what is offered through all the steps.
pub(crate) async fn tried(
    origin: &Origin,
    swapper: &Swapper,
    offer: Offer,
    swap: &Swap,
) -> anyhow::Result<Swapped> {
    let wish = Wish {
        who: origin.environment.user.clone(),
        same_answers: swap.same_answers,
        canary: swap.canary,
        shadow: swap.shadow,
    };
    let drawing = Drawing::new();
    let swapped = {
        let _note = drawing.waiting("trying it on calls that are known");
        swapper.swap(swap.stage, offer, &wish).await
    };
    drawing.finish();
    Ok(swapped?)
}

fn offer(file: &Path, swapper: &Swapper) -> anyhow::Result<Offer> {
    Offer::of_file(file, swapper.largest())
}

/// Tells what came of it, and where it was fetched from: an object, and lines.
pub(crate) fn told(
    origin: &Origin,
    swapped: &Swapped,
    swap: &Swap,
    pulled: Option<(&Value, &[String])>,
) -> anyhow::Result<()> {
    let Swapped {
        stage,
        component,
        signed,
        report,
        revision,
    } = swapped;
    if origin.global.json {
        let signed = signed
            .as_ref()
            .map(|signed| json!({ "key": signed.key.to_string(), "comment": signed.comment }));
        return output::json(&json!({
            "stage": stage, "component": component, "revision": revision, "signed": signed,
            "canary": swap.canary.map(septet::pipeline::Percent::as_f64),
            "shadow": swap.shadow.map(septet::pipeline::Percent::as_f64),
            "report": report, "pulled": pulled.map(|(pulled, _)| pulled),
        }));
    }
    let short = component.short();
    let mut lines = pulled.map_or(Vec::new(), |(_, lines)| lines.to_vec());
    let already = if revision.is_none() { " already" } else { "" };
    match (swap.canary, swap.shadow) {
        (None, None) => lines.push(format!("{stage} is {short}{already}")),
        (canary, shadow) => {
            if let Some(percent) = canary {
                lines.push(format!(
                    "{short} answers {percent} of the calls of {stage}{already}"
                ));
            }
            if let Some(percent) = shadow {
                lines.push(format!(
                    "{short} is given copies of {percent} of the calls of {stage}{already}"
                ));
            }
        }
    }
    if let Some(signed) = signed {
        lines.push(format!(
            "signed    by key {}: {}",
            signed.key, signed.comment
        ));
    }
    let of = if report.demo {
        " of the demo: the store has none of this stage"
    } else {
        ""
    };
    lines.push(format!("tried     {}{of}", counted(report.calls.len())));
    for tried in &report.calls {
        for different in &tried.different {
            lines.push(format!("differs   {}: {different}", tried.call));
        }
        if tried.more > 0 {
            lines.push(format!("differs   {}: {} more", tried.call, tried.more));
        }
    }
    if !report.differs() {
        lines.push("answers   the same".to_owned());
    }
    output::text_line(&lines.join("\n"))
}

async fn history(origin: &Origin, stage: Option<Stage>) -> anyhow::Result<()> {
    let rows = match existing(origin).await? {
        Some(pipeline) => view::history(pipeline.swaps(), stage).await?,
        None => Vec::new(),
    };
    if origin.global.json {
        return output::json(&json!({ "history": rows }));
    }
    if rows.is_empty() {
        return output::text_line(&match stage {
            Some(stage) => format!("{stage} was never swapped"),
            None => "no stage was ever swapped".to_owned(),
        });
    }
    let rows = rows.iter().map(|row| {
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
        let component = match text("component") {
            "" if text("event") == "refused" => "–".to_owned(),
            "" => BUILT_IN.to_owned(),
            digest if is_builtin(text("stage"), digest) => BUILT_IN.to_owned(),
            digest => digest.chars().take(12).collect(),
        };
        vec![
            text("when").to_owned(),
            text("who").to_owned(),
            text("stage").to_owned(),
            what(row),
            component,
            why(row),
        ]
    });
    let header = ["when", "who", "stage", "what", "component", "why"];
    output::text_line(&output::table(&header, &[], rows.collect()))
}

/// Whether it is the component that this program has of the stage.
fn is_builtin(stage: &str, digest: &str) -> bool {
    let own = stage.parse().ok().and_then(builtin);
    own.is_some_and(|(own, _)| own.to_string() == digest)
}

/// What happened, in a word or two.
fn what(row: &Value) -> String {
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
    match (text("event"), row.get("percent").and_then(Value::as_f64)) {
        (event @ ("canary" | "shadow"), Some(percent)) => format!("{event} {percent}%"),
        ("rolled-back", _) => "rolled back".to_owned(),
        ("withdrawn", _) => format!("{} ended", text("what")),
        (event, _) => event.to_owned(),
    }
}

/// Why, or what was found on the way.
fn why(row: &Value) -> String {
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
    if text("event") == "refused" {
        return format!("{}: {}", text("step"), text("reason"));
    }
    let calls = row.pointer("/report/calls").and_then(Value::as_array);
    let Some(calls) = calls else {
        return text("reason").to_owned();
    };
    let mut different = calls.iter().filter_map(|call| {
        let first = call.pointer("/different/0")?.as_str()?;
        Some(format!("{}: {first}", call.get("call")?.as_str()?))
    });
    match different.next() {
        None => format!("the same answers to {}", counted(calls.len())),
        Some(first) => format!("other answers: {first}"),
    }
}

fn counted(calls: usize) -> String {
    let plural = if calls == 1 { "" } else { "s" };
    format!("{calls} call{plural}")
}

async fn rollback(origin: &Origin, stage: Stage, reason: &str) -> anyhow::Result<()> {
    let pipeline = origin.existing().await?;
    let who = &origin.environment.user;
    let undone = pipeline.swaps().rollback(stage, who, reason).await?;
    if origin.global.json {
        return output::json(&match &undone {
            Undone::Withdrawn { arm, component } => {
                json!({ "stage": stage, "withdrawn": arm.name(), "component": component })
            }
            Undone::Back { from, to } => json!({ "stage": stage, "from": from, "to": to }),
        });
    }
    let externals = origin.settings.externals()?;
    let short =
        |component: &Option<septet::contract::Digest>| match (component, externals.of(stage)) {
            (Some(component), _) if builtin(stage).is_some_and(|own| own.0 == *component) => {
                BUILT_IN.to_owned()
            }
            (Some(component), _) => component.short(),
            (None, Some(external)) => format!("external ({})", output::harmless(&external.shown())),
            (None, None) => BUILT_IN.to_owned(),
        };
    output::text_line(&match &undone {
        Undone::Withdrawn { arm, component } => {
            format!(
                "{} is the {} of {stage} no more",
                component.short(),
                arm.name()
            )
        }
        Undone::Back { from, to } => {
            format!("{stage} is {} again, and was {}", short(to), short(from))
        }
    })
}

/// Gives the built-in component copies of calls of another one's.
async fn shadow_builtin(
    origin: &Origin,
    pipeline: &Pipeline,
    stage: Stage,
    share: Percent,
) -> anyhow::Result<()> {
    let (component, _) = builtin(stage).context("septet was built without this stage")?;
    ensure!(
        share == Percent::ALL,
        "the built-in component is given copies of all calls or of none: --shadow 100%"
    );
    let who = &origin.environment.user;
    let externals = origin.settings.externals()?;
    let externals = externals
        .of(stage)
        .map(septet::external::External::identity);
    let done = wish(
        pipeline,
        stage,
        component,
        externals.or_else(|| builtin(stage).map(|own| own.0)),
        who,
    )
    .await?;
    let (short, changed) = (component.short(), done != Changed::Already);
    let state = pipeline.swaps().state(stage).await?;
    let arm = state
        .shadow
        .as_ref()
        .filter(|arm| arm.component == component);
    ensure!(
        arm.is_some(),
        "{stage} has another shadow, or what is built in is in force: see `septet stages`"
    );
    if origin.global.json {
        return output::json(&json!({
            "stage": stage, "component": component, "shadow": share.as_f64(), "changed": changed,
        }));
    }
    let already = if changed { "" } else { " already" };
    output::text_line(&format!(
        "{short}, {BUILT_IN}, is given copies of {share} of the calls of {stage}{already}"
    ))
}

async fn promote(origin: &Origin, promote: &Promote) -> anyhow::Result<()> {
    let Promote { stage, reason, .. } = promote;
    ensure!(
        !promote.force || !reason.trim().is_empty(),
        "--force takes a reason, for the history: --reason TEXT"
    );
    let pipeline = origin.existing().await?;
    let gate = Gate {
        matches: promote
            .matches
            .unwrap_or(pipeline.trials().tolerance().matches),
        forced: promote.force,
    };
    let who = origin.environment.user.as_str();
    let component = pipeline.promote(*stage, gate, (who, reason)).await?;
    if origin.global.json {
        return output::json(&json!({ "stage": stage, "component": component }));
    }
    let known = builtin(*stage).is_some_and(|own| own.0 == component);
    let built_in = if known { ", built in" } else { "" };
    output::text_line(&format!("{stage} is {}{built_in}", component.short()))
}
