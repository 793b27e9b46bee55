//! `septet store verify`: whether the store is whole.

use std::{collections::BTreeSet, time::Instant};

use anyhow::ensure;
use septet::{
    components::EMBEDDED,
    contract::Digest,
    pipeline::{Pipeline, Verified},
    store::Mode,
};
use serde_json::json;

use super::{output, session::Origin};

/// Checks all of it; where something is wrong, that is an error.
pub(crate) async fn verify(origin: &Origin) -> anyhow::Result<()> {
    let begun = Instant::now();
    let path = origin.store();
    let (store, damage) = if origin.account().is_some() {
        // The account looks after its own files.
        (origin.open(Mode::Existing).await?, Vec::new())
    } else {
        let local = origin.local(Mode::Existing).await?;
        (local.store(), local.check().await?)
    };
    let embedded: BTreeSet<Digest> = EMBEDDED
        .iter()
        .map(|(_, bytes)| Digest::of(bytes))
        .collect();
    let looked = Pipeline::new(store).verify(&embedded).await;
    let mut verified = match looked {
        Ok(verified) => verified,
        // What can't be read in a damaged file is told by what is wrong with the file.
        Err(_) if !damage.is_empty() => Verified::default(),
        Err(error) => return Err(error),
    };
    for line in damage {
        let what = format!("septet.db is damaged: {line}");
        verified.problem(what, "restore it from a copy of the store");
    }
    let seconds = begun.elapsed().as_secs_f64();
    let count = verified.problems.len() as u64 + verified.more_problems;
    if origin.global.json {
        output::json(&json!({ "seconds": seconds, "whole": count == 0, "verified": verified }))?;
    } else {
        output::text_line(&lines(&verified, seconds))?;
    }
    ensure!(
        count == 0,
        "the store {} is not whole: problems found: {count}",
        path.display()
    );
    Ok(())
}

fn lines(verified: &Verified, seconds: f64) -> String {
    let mut lines = vec![format!(
        "{} blobs ({}), {} records, {} models and {} waiting messages checked in {seconds:.1} s",
        verified.blobs,
        output::size(verified.bytes),
        verified.records,
        verified.models,
        verified.messages
    )];
    let problems = verified.problems.iter();
    lines.extend(problems.map(|problem| {
        let line = format!("{} ({})", problem.what, problem.advice);
        line.replace('\n', " ")
    }));
    if verified.more_problems > 0 {
        lines.push(format!("and {} more", verified.more_problems));
    }
    if verified.is_whole() {
        lines.push("the store is whole".to_owned());
    }
    lines.join("\n")
}
