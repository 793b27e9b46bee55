//! `septet transform`: customers' own preprocessing, tried before it is taken and kept under names.

use std::path::Path;

use anyhow::{Context as _, anyhow, ensure};
use septet::{
    contract::Digest,
    pipeline::{
        Added, Addition, NamedTransform, Pipeline, TransformRef, TransformVersion, check_transform,
    },
    stage::{TransformColumn, TransformReport},
    store::{Mode, memory},
    swap::beside,
};
use serde_json::{Value, json};

use super::{
    args::TransformCommand,
    output, request,
    session::{Origin, Session},
    source,
};

/// Tries, keeps, lists, shows or takes away.
pub(crate) async fn transform(origin: &Origin, command: &TransformCommand) -> anyhow::Result<()> {
    match command {
        TransformCommand::Check { file, sample } => check(origin, file, sample.as_deref()).await,
        TransformCommand::Add { file, name, sample } => {
            add(origin, file, name.as_deref(), sample.as_deref()).await
        }
        TransformCommand::List => list(origin).await,
        TransformCommand::Show { name } => show(origin, name).await,
        TransformCommand::Remove { name } => remove(origin, name).await,
    }
}

/// A store that is gone when the command ends: what is only checked leaves nothing behind.
fn passing(origin: &Origin) -> anyhow::Result<Session> {
    let store = memory();
    let stages = origin.stages(&store)?;
    Ok(Session {
        pipeline: Pipeline::new(store),
        stages,
        trust: origin.trust()?,
    })
}

async fn check(origin: &Origin, file: &Path, sample: Option<&Path>) -> anyhow::Result<()> {
    let session = passing(origin)?;
    let (report, signed) = request::admit(&session, file, sample).await?;
    if origin.global.json {
        let key = signed.map(|signed| signed.key.to_string());
        return output::json(&json!({ "fits": true, "key": key, "report": report }));
    }
    let mut lines = described(&report);
    if let Some(signed) = signed {
        lines.push(format!("signed    {} ({})", signed.key, signed.comment));
    }
    lines.push("fits      it can be used: `septet transform add`, or --transform FILE".to_owned());
    output::text_line(&lines.join("\n"))
}

async fn add(
    origin: &Origin,
    file: &Path,
    name: Option<&str>,
    sample: Option<&Path>,
) -> anyhow::Result<()> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => name_of(file)?,
    };
    check_transform(&name)?;
    // Before there is a store: what is refused must leave nothing behind.
    let (report, signed) = request::admit(&passing(origin)?, file, sample).await?;
    let session = origin.session(Mode::Create).await?;
    let kept = source::add_component(&session, file, "transform").await?;
    ensure!(
        kept.digest == report.component,
        "{} was changed while it was tried: add it again",
        file.display()
    );
    let addition = Addition {
        name,
        component: report.component,
        size: report.size,
        signature: beside(file)?,
        key: signed.map(|signed| signed.key.to_string()),
        report: serde_json::to_string(&report).context("the report is no JSON")?,
    };
    let transforms = session.pipeline.transforms();
    let added = transforms.add(addition, &origin.environment.user).await?;
    let (version, is_new) = match &added {
        Added::New(version) => (version, true),
        Added::Already(version) => (version, false),
    };
    let full = full(version);
    if origin.global.json {
        return output::json(&json!({
            "name": version.addition.name,
            "version": version.number,
            "component": report.component,
            "new": is_new,
            "report": report,
        }));
    }
    let mut lines = described(&report);
    lines.push(if is_new {
        format!(
            "added     {full}: `septet run DATA --target COL --transform {}`",
            version.addition.name
        )
    } else {
        format!("there     {full} is this component already")
    });
    output::text_line(&lines.join("\n"))
}

/// A name from a file's.
fn name_of(file: &Path) -> anyhow::Result<String> {
    let stem = file
        .file_stem()
        .map(|stem| stem.to_string_lossy().to_lowercase());
    let stem = stem.unwrap_or_default();
    check_transform(&stem).map_err(|_| {
        anyhow!(
            "{}: no name can be made of it: give one with --name",
            file.display()
        )
    })?;
    Ok(stem)
}

fn full(version: &TransformVersion) -> String {
    format!("{}@{}", version.addition.name, version.number)
}

async fn list(origin: &Origin) -> anyhow::Result<()> {
    let all = origin.existing().await?.transforms().list().await?;
    if origin.global.json {
        let all: Vec<Value> = all.iter().map(named).collect();
        return output::json(&json!({ "transforms": all }));
    }
    if all.is_empty() {
        return output::text_line("no transforms yet: septet transform add FILE");
    }
    let rows = all
        .iter()
        .filter_map(NamedTransform::newest)
        .map(|version| {
            let report = report(version);
            let columns = |columns: Vec<&str>| {
                if columns.is_empty() {
                    "–".to_owned()
                } else {
                    columns.join(", ")
                }
            };
            let names =
                |list: &[TransformColumn]| columns(list.iter().map(|c| c.name.as_str()).collect());
            vec![
                full(version),
                report
                    .as_ref()
                    .map_or_else(String::new, |r| names(&r.needs)),
                report.as_ref().map_or_else(String::new, |r| names(&r.adds)),
                output::size(version.addition.size),
                version.addition.component.short(),
                version.when.clone(),
            ]
        });
    let header = ["transform", "needs", "adds", "size", "component", "added"];
    output::text_line(&output::table(&header, &["size"], rows.collect()))
}

async fn show(origin: &Origin, name: &str) -> anyhow::Result<()> {
    let asked: TransformRef = name.parse()?;
    let transforms = origin.existing().await?.transforms();
    let version = transforms.find(&asked).await?;
    let all = transforms.named(&asked.name).await?;
    if origin.global.json {
        let mut object = named(&all);
        if let Some(object) = object.as_object_mut() {
            object.insert("shown".to_owned(), json!(version.number));
        }
        return output::json(&object);
    }
    let mut lines = match report(&version) {
        Some(report) => described(&report),
        None => vec![format!("sha-256   {}", version.addition.component)],
    };
    if let Some(key) = &version.addition.key {
        lines.push(format!("signed    {key}"));
    }
    let rows = all.versions.iter().map(|version| {
        let component: &Digest = &version.addition.component;
        vec![
            full(version),
            component.short(),
            version.when.clone(),
            version.who.clone(),
        ]
    });
    lines.push(String::new());
    let header = ["version", "component", "added", "by"];
    lines.push(output::table(&header, &[], rows.collect()));
    output::text_line(&lines.join("\n"))
}

async fn remove(origin: &Origin, name: &str) -> anyhow::Result<()> {
    let pipeline = origin.existing().await?;
    pipeline
        .transforms()
        .remove(name, &origin.environment.user)
        .await?;
    if origin.global.json {
        return output::json(&json!({ "removed": name }));
    }
    output::text_line(&format!(
        "removed   {name}: models that were trained with it go on, new runs can't name it"
    ))
}

fn named(named: &NamedTransform) -> Value {
    let versions: Vec<Value> = named
        .versions
        .iter()
        .map(|version| {
            json!({
                "version": version.number,
                "component": version.addition.component,
                "bytes": version.addition.size,
                "key": version.addition.key,
                "added": version.when,
                "by": version.who,
                "report": report(version),
            })
        })
        .collect();
    json!({ "name": named.name, "versions": versions })
}

/// What was found when a version was tried; none where another septet wrote it otherwise.
fn report(version: &TransformVersion) -> Option<TransformReport> {
    serde_json::from_str(&version.addition.report).ok()
}

/// A report for people.
fn described(report: &TransformReport) -> Vec<String> {
    let columns = |columns: &[TransformColumn]| {
        let columns = columns
            .iter()
            .map(|column| format!("{} ({})", column.name, column.kind));
        let columns: Vec<String> = columns.collect();
        if columns.is_empty() {
            "–".to_owned()
        } else {
            columns.join(", ")
        }
    };
    let wasi = report
        .imports
        .iter()
        .filter(|import| import.starts_with("wasi:"))
        .count();
    let imports = match wasi {
        0 => "nothing".to_owned(),
        1 => "1 interface of wasi, which is inert here".to_owned(),
        count => format!("{count} interfaces of wasi, which are inert here"),
    };
    let kept = report.rows.saturating_sub(report.rejected);
    let rows = if report.given {
        "rows of the sample"
    } else {
        "made-up rows"
    };
    let mut lines = vec![
        format!("called    {} {}", report.name, report.version),
        format!("sha-256   {}", report.component),
        format!("size      {}", output::size(report.size)),
        format!("imports   {imports}"),
        format!("needs     {}", columns(&report.needs)),
        format!("adds      {}", columns(&report.adds)),
    ];
    if !report.removes.is_empty() {
        lines.push(format!("removes   {}", report.removes.join(", ")));
    }
    lines.push(format!(
        "tried     {kept} {rows} at once, again, split, in another order, one by one, at another time: the \
         same values"
    ));
    if let Some(reason) = report.rejection.as_ref().filter(|_| report.rejected > 0) {
        lines.push(format!(
            "rejected  {} of {}; the first: {reason}",
            report.rejected, report.rows
        ));
    }
    if let Some(unusual) = &report.unusual {
        lines.push(format!(
            "unusual   of {} odd rows (infinities, long texts, no values) {} rejected, {} ended it early",
            unusual.rows, unusual.rejected, unusual.failed
        ));
        if let Some(failure) = &unusual.failure {
            lines.push(format!("          the first: {failure}"));
        }
    }
    lines.push(format!(
        "takes     {:.2} ms for 1,000 rows, {} of memory",
        report.seconds_per_1000_rows * 1000.0,
        output::size(report.peak_memory_bytes)
    ));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_a_file_where_one_can_be() {
        assert_eq!(name_of(Path::new("a/Ratio.wasm")).unwrap(), "ratio");
        let error = name_of(Path::new("2 x.wasm")).unwrap_err().to_string();
        assert!(
            error.contains("2 x.wasm") && error.contains("--name"),
            "{error}"
        );
    }
}
