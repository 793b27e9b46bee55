//! `septet shadow report`: what a component that is given copies of calls answers otherwise.

use anyhow::Context as _;
use septet::{
    contract::Stage,
    pipeline::{Compared, Used},
};
use serde_json::json;

use super::{args::ShadowCommand, output, session::Origin};

/// Tells what was compared.
pub(crate) async fn shadow(origin: &Origin, command: &ShadowCommand) -> anyhow::Result<()> {
    let ShadowCommand::Report { stage } = command;
    let pipeline = origin.existing().await?;
    let compared = pipeline.trials().compared(*stage).await?;
    let compared = compared.with_context(|| {
        format!(
            "{stage} has no shadow: begin one with `septet stages swap {stage} FILE --shadow 10%`"
        )
    })?;
    let state = pipeline.swaps().state(*stage).await?;
    let arm = state.shadow.as_ref();
    let component = arm.map(|arm| arm.component.to_string()).unwrap_or_default();
    let percent = arm.map(|arm| arm.percent);
    if origin.global.json {
        return output::json(&json!({
            "stage": stage,
            "component": component,
            "percent": percent.map(septet::pipeline::Percent::as_f64),
            "compared": compared,
        }));
    }
    let share = percent.map(|percent| percent.to_string());
    let head = format!(
        "{stage}: {component} is given copies of {} of the calls",
        share.unwrap_or_default()
    );
    output::text_line(&format!("{head}\n{}", told(*stage, &compared)))
}

fn told(stage: Stage, compared: &Compared) -> String {
    let Compared {
        same,
        different,
        failed,
        skipped,
        in_force,
        shadow,
        differences,
    } = compared;
    let mut lines = vec![
        format!("same       {same}"),
        format!("different  {different}"),
        format!("failed     {failed}"),
        format!("skipped    {skipped} (it was at another)"),
        format!("in force   {}", used(in_force)),
        format!("shadow     {}", used(shadow)),
    ];
    if differences.is_empty() {
        lines.push(format!("no difference of {stage} was seen"));
        return lines.join("\n");
    }
    let rows = differences.iter().map(|difference| {
        let texts = [&difference.place, &difference.in_force, &difference.shadow];
        texts.map(|text| output::harmless(text)).to_vec()
    });
    let header = ["first differences", "in force", "shadow"];
    lines.push(output::table(&header, &[], rows.collect()));
    lines.join("\n")
}

fn used(used: &Used) -> String {
    match used.mean_ms() {
        Some(mean) => format!(
            "{} ms a call, at most {}",
            output::figure(mean),
            output::size(used.peak_memory_bytes)
        ),
        None => "no call yet".to_owned(),
    }
}
