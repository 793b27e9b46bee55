//! `septet gc`: deletes what nothing needs any more.

use std::time::Duration;

use anyhow::ensure;
use humantime::format_duration;
use septet::pipeline::{Collect, Collected};
use serde_json::json;

use super::{args::Gc, output, session::Origin};

/// Collects garbage.
pub(crate) async fn gc(origin: &Origin, gc: &Gc) -> anyhow::Result<()> {
    let stage = Duration::from_secs(origin.settings.limits.wall_seconds);
    let lease = origin.settings.work.policy()?.lease;
    let longest = stage.saturating_add(lease);
    ensure!(
        gc.grace > longest,
        "--grace {} is too short: one call of a stage may take {} (the limit wall_seconds) and its \
         lease {}, and files it wrote may not be referenced yet: give more than {}",
        format_duration(gc.grace),
        format_duration(stage),
        format_duration(lease),
        format_duration(longest)
    );
    let pipeline = origin.existing().await?;
    let what = Collect {
        grace: gc.grace,
        forget: gc.forget,
        dry_run: gc.dry_run,
    };
    let collected = pipeline.collect(&what).await?;
    if origin.global.json {
        return output::json(&json!({ "dry_run": gc.dry_run, "collected": collected }));
    }
    output::text_line(&lines(gc, &collected))
}

fn lines(gc: &Gc, collected: &Collected) -> String {
    let would = if gc.dry_run { "would be " } else { "" };
    let count = |count: u64, one: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    };
    let mut lines = vec![
        format!(
            "{} ({}) {would}deleted",
            count(collected.blobs, "blob"),
            output::size(collected.bytes)
        ),
        format!(
            "{} ({}) kept, {} of them only because of the grace of {}",
            count(collected.kept_blobs, "blob"),
            output::size(collected.kept_bytes),
            collected.young_blobs,
            format_duration(gc.grace)
        ),
    ];
    if collected.runs + collected.records > 0 {
        lines.push(format!(
            "{} {would}forgotten, {} {would}deleted",
            count(collected.runs, "run"),
            count(collected.records, "record")
        ));
    }
    lines.join("\n")
}
