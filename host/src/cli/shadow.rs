//! `septet shadow report`: what a component that is given copies of calls answers otherwise, and whether it
//! may be promoted.

use anyhow::Context as _;
use septet::{
    components::builtin,
    contract::Stage,
    pipeline::{Arm, Compared, Percent, Used},
};
use serde_json::json;

use super::{args::ShadowCommand, output, session::Origin, swaps::BUILT_IN};

/// Tells what was compared.
pub(crate) async fn shadow(origin: &Origin, command: &ShadowCommand) -> anyhow::Result<()> {
    let ShadowCommand::Report { stage, tolerance } = command;
    let pipeline = origin.existing().await?;
    let compared = pipeline.trials().compared(*stage).await?;
    let compared = compared.with_context(|| {
        format!(
            "{stage} has no shadow: begin one with `septet stages swap {stage} FILE --shadow 10%`"
        )
    })?;
    let state = pipeline.swaps().state(*stage).await?;
    let arm = state.shadow.as_ref();
    let needed = pipeline.trials().tolerance().matches;
    let within = tolerance.map(|tolerance| {
        let within = compared.columns.iter();
        let within = within.filter(move |(_, unlike)| unlike.within(tolerance));
        within.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
    });
    if origin.global.json {
        return output::json(&json!({
            "stage": stage,
            "component": arm.map(|arm| arm.component),
            "percent": arm.map(|arm| Percent::as_f64(arm.percent)),
            "matches": { "in_a_row": compared.in_a_row(), "needed": needed },
            "compared": compared.shown(),
            "within": tolerance.map(|of| json!({ "tolerance": of, "columns": within })),
        }));
    }
    let head = arm.map(|arm| head(*stage, arm)).unwrap_or_default();
    let mut lines = vec![head, told(*stage, &compared, needed)];
    if let (Some(tolerance), Some(within)) = (tolerance, within) {
        let (all, known) = (compared.columns.len(), within.len());
        lines.push(format!(
            "within {tolerance}, {known} of {all} of what differs would be alike for sure"
        ));
        lines.extend(
            within
                .iter()
                .map(|name| format!("  {}", output::harmless(name))),
        );
    }
    output::text_line(&lines.join("\n"))
}

fn head(stage: Stage, arm: &Arm) -> String {
    let Arm {
        component, percent, ..
    } = arm;
    let own = builtin(stage).is_some_and(|(own, _)| own == *component);
    let built_in = if own {
        format!(", {BUILT_IN},")
    } else {
        String::new()
    };
    format!("{stage}: {component}{built_in} is given copies of {percent} of the calls")
}

fn told(stage: Stage, compared: &Compared, needed: u64) -> String {
    let Compared {
        same,
        different,
        failed,
        skipped,
        in_force,
        shadow,
        ..
    } = compared;
    let row = compared.in_a_row();
    let advice = if row >= needed {
        format!(": `septet stages promote {stage}` puts it into force")
    } else {
        format!(" of the {needed} that it takes to promote it")
    };
    let mut lines = vec![
        format!("same       {same}"),
        format!("different  {different}"),
        format!("failed     {failed}"),
        format!("skipped    {skipped} (it was at another)"),
        format!("in a row   {row} since it began or last differed{advice}"),
        format!("in force   {}", used(in_force)),
        format!("shadow     {}", used(shadow)),
    ];
    let notes = compared.notes.iter();
    lines.extend(notes.map(|note| format!("told       {}", output::harmless(note))));
    if compared.differences.is_empty() {
        lines.push(format!("no difference of {stage} was seen"));
        return lines.join("\n");
    }
    let columns = compared.columns.iter().map(|(name, unlike)| {
        let figure = |value: f64| {
            if value > 0.0 {
                output::figure(value)
            } else {
                String::new()
            }
        };
        vec![
            output::harmless(name),
            unlike.rows.to_string(),
            figure(unlike.absolute),
            figure(unlike.relative),
        ]
    });
    let columns: Vec<_> = columns.collect();
    if !columns.is_empty() {
        let header = ["what differs", "rows", "at most by", "in proportion"];
        lines.push(output::table(&header, &header[1..], columns));
    }
    let rows = compared.differences.iter().map(|difference| {
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
