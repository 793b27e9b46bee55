//! `septet demo`: all seven stages on a small real data set.

use std::{fs, io::ErrorKind, path::Path, sync::Arc, time::Instant};

use anyhow::{Context as _, bail};
use septet::{
    contract::Stage,
    store::{Mode, copy},
};
use serde_json::json;

use super::{
    args::{Demo, Format, Monitor, Predict, Run},
    data::{self, Data},
    drawing::Drawing,
    monitor, output, request,
    session::{Origin, Session},
    summary::{self, Summary},
    train,
    training::Train,
};
use crate::config::Settings;

/// The demo's data: see `host/demo/README.md` for where it comes from and its licence.
const DATA: [(&str, &str); 3] = [
    (TRAIN, include_str!("../../demo/penguins.csv")),
    (NEW, include_str!("../../demo/penguins-2009.csv")),
    (DRIFTED, include_str!("../../demo/penguins-2009-kg.csv")),
];
const TRAIN: &str = "penguins.csv";
const NEW: &str = "penguins-2009.csv";
const DRIFTED: &str = "penguins-2009-kg.csv";
const MODEL: &str = "penguins";
const TARGET: &str = "sex";

/// Predictions that are shown.
const SHOWN: usize = 5;

/// Trains, predicts and monitors, and says what to try next.
pub(crate) async fn demo(mut origin: Origin, demo: &Demo) -> anyhow::Result<()> {
    let begun = Instant::now();
    let folder = &demo.dir;
    let store = origin
        .global
        .store
        .get_or_insert_with(|| folder.join(".septet"))
        .clone();
    // The demo shows the defaults, whatever settings lie around.
    origin.settings = Settings::default();
    if demo.fresh {
        remove(&folder.join(".septet"))?;
    }
    for (name, text) in DATA {
        write(&folder.join(name), text)?;
    }
    let quiet = origin.global.json;
    let say = |text: &str| {
        if quiet {
            Ok(())
        } else {
            output::text_line(text)
        }
    };
    let drawing = Drawing::new();
    let session = origin.session(Mode::Create).await?;
    session.prepare(&Stage::ALL, &drawing).await?;

    say(&format!(
        "Palmer penguins (CC0): which of the birds of 2007 and 2008 are male?\n\
         septet run {TRAIN} --target {TARGET}\n"
    ))?;
    let run = Run::of(&folder.join(TRAIN), TARGET);
    let train = Train::of(&run, data::parts(&run.data), &origin)?;
    let request = train.request(&session).await?;
    let state = session.complete(request, Arc::clone(&drawing)).await?;
    let summary = Summary::of(&session.pipeline, &state).await?;
    let mut lines = Vec::new();
    say(&train::text(&summary))?;

    say(&format!(
        "\nThe birds of 2009, which it has never seen:\nseptet predict {NEW} --model {MODEL}\n"
    ))?;
    let ask = Predict {
        data: vec![folder.join(NEW)],
        model: MODEL.to_owned(),
        output: None,
        format: None,
    };
    let data = Data::typed(&ask.data)?;
    let request = request::predict(&session, &origin, &ask, Format::Csv, &data).await?;
    let predicted = session.complete(request, Arc::clone(&drawing)).await?;
    lines.extend(summary::lines(
        &session.pipeline.rows(&predicted.id).await?,
        &predicted.request,
    ));
    let predictions = predictions(&session, &predicted).await?;
    say(&shown(&predictions))?;

    say(&format!(
        "\nThe same birds, after body mass was switched to kilograms and nobody was told:\n\
         septet monitor {DRIFTED} --model {MODEL} --labels {TARGET}\n"
    ))?;
    let ask = Monitor {
        data: vec![folder.join(DRIFTED)],
        model: MODEL.to_owned(),
        labels: Some(TARGET.to_owned()),
        threshold: None,
        min_rows: None,
    };
    let data = Data::typed(&ask.data)?;
    let request = request::monitor(&session, &origin, &ask, &data).await?;
    let monitored = session.complete(request, drawing).await?;
    let drift = monitor::drift(&session.pipeline, &monitored).await?;
    say(&monitor::text(&drift))?;
    lines.extend(summary::lines(
        &session.pipeline.rows(&monitored.id).await?,
        &monitored.request,
    ));

    if quiet {
        return output::json(&json!({
            "train": summary,
            "predict": {"run": predicted.id, "rows": predictions.lines().count().saturating_sub(1)},
            "monitor": drift,
            "seconds": begun.elapsed().as_secs_f64(),
        }));
    }
    say(&format!(
        "\npredict and monitor ran these:\n\n{}",
        summary::stage_table(&lines)
    ))?;
    say(&next(&origin, folder, &store, begun))
}

/// What to try next.
fn next(origin: &Origin, folder: &Path, store: &Path, begun: Instant) -> String {
    let (septet, folder, store) = (
        &origin.environment.program,
        folder.display(),
        store.display(),
    );
    format!(
        "\nSeven components, {:.1} s. Each could touch only what it was granted.\n\
         \n\
         Try next:\n  \
           {septet} demo                      again: everything is cached\n  \
           {septet} run {folder}/{TRAIN} --target species --name species --store {store}\n  \
           {septet} predict {folder}/{NEW} --model {MODEL} --store {store}\n  \
           {septet} models log {MODEL} --store {store}\n  \
           {septet} grants --store {store}",
        begun.elapsed().as_secs_f64()
    )
}

/// The predictions as CSV.
async fn predictions(
    session: &Session,
    state: &septet::pipeline::RunState,
) -> anyhow::Result<String> {
    let output = state
        .output(Stage::Infer, "predictions")
        .context("infer made no predictions")?;
    let mut bytes = Vec::new();
    let blobs = session.pipeline.store().blobs.as_ref();
    copy(blobs, &output.digest, |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })
    .await?;
    String::from_utf8(bytes).context("the predictions are no text")
}

/// The first predictions as a table, and how many are right: the file has the answers.
fn shown(predictions: &str) -> String {
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let mut lines = predictions.lines();
    let header = cells(lines.next().unwrap_or_default());
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows: Vec<Vec<String>> = lines.map(cells).collect();
    let truth = DATA
        .iter()
        .find(|(name, _)| *name == NEW)
        .map_or("", |(_, text)| text);
    let truth = truth
        .lines()
        .skip(1)
        .filter_map(|line| line.rsplit(',').next());
    let known = rows.iter().zip(truth).filter(|(_, truth)| *truth != "NA");
    let right = known
        .clone()
        .filter(|(row, truth)| row.get(1).is_some_and(|cell| cell == truth));
    let (right, known, more) = (
        right.count(),
        known.count(),
        rows.len().saturating_sub(SHOWN),
    );
    let table = output::table(&header, &header, rows.into_iter().take(SHOWN).collect());
    format!("{table}\n… and {more} more rows; {right} of the {known} whose sex was noted are right")
}

/// Removes the demo's own store of an earlier time, and nothing that is not one.
fn remove(store: &Path) -> anyhow::Result<()> {
    if store.join("septet.db").is_file() {
        fs::remove_dir_all(store)
            .with_context(|| format!("the demo's store {} can't be removed", store.display()))?;
    }
    Ok(())
}

/// Writes a file of the demo; another one of that name is left alone.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let shown = path.display();
    match fs::read_to_string(path) {
        Ok(there) if there == text => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        _ => {
            bail!("{shown} is there already and is not the demo's: name another folder with --dir")
        }
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, text));
    written.with_context(|| format!("the demo's data can't be written to {shown}"))
}
