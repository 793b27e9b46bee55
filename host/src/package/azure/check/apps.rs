//! What is in the folder of an app, and of the job: program, components, native code, settings.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::{functions, host, reader::Reader, schema::Schemas, whole::Against};
use crate::{
    contract::{Digest, Stage},
    package::azure::{
        files,
        program::fits,
        table::{App, Table},
        write::components,
    },
    pipeline::Policy,
    stage::{Capability, Grants, Limits},
};

/// What an app's settings say that other files are held to.
pub(super) struct Said {
    /// What a call may take.
    pub(super) limits: Limits,
    /// After how many deliveries Septet itself puts a message aside.
    pub(super) deliveries: u64,
    /// Whether there are rules by the clock.
    pub(super) timers: bool,
    grants: Grants,
}

/// Checks all apps, and gives the grants that the rights are held to: those of each app's settings.
pub(super) fn check(
    reader: &mut Reader<'_>,
    table: &Table,
    against: &Against<'_>,
    schemas: &Schemas,
) -> Vec<(String, Grants)> {
    let mut grants = Vec::new();
    let places = [("apps", &table.apps), ("jobs", &table.jobs)];
    for (place, apps) in places {
        for app in apps {
            let folder = format!("{place}/{}", app.name);
            let said = settings(reader, &folder, against);
            program(reader, &folder, app, against);
            if place == "apps" {
                host::check(reader, &folder, app, &said, schemas);
                functions::check(reader, &folder, app, &said, schemas);
                ignored(reader, &folder);
            }
            grants.push((app.name.clone(), said.grants));
        }
        for name in reader.names(place) {
            if !apps.iter().any(|app| app.name == name) {
                let what = "no app of infra/rights.json is this: take it away";
                reader.note(format!("{place}/{name}"), what);
            }
        }
    }
    grants
}

/// Binary, components, native code.
fn program(reader: &mut Reader<'_>, folder: &str, app: &App, against: &Against<'_>) {
    let file = format!("{folder}/{}", files::PROGRAM);
    if let Some(bytes) = reader.bytes(&file) {
        if let Err(error) = fits(&bytes, against.glibc) {
            reader.note(&file, format!("it would not start: {error:#}"));
        }
        let mode = reader
            .metadata(&file)
            .map(|found| found.permissions().mode());
        if mode.is_some_and(|mode| mode & 0o111 != 0o111) {
            reader.note(&file, format!("its run bit is missing: chmod 755 {file}"));
        }
    }
    let listed = listed(reader, folder);
    for stage in components(&app.stages) {
        let file = format!("{folder}/{stage}.wasm");
        let Some(bytes) = reader.bytes(&file) else {
            continue;
        };
        let digest = Digest::of(&bytes);
        let native = listed.iter().find(|listed| listed.stage == stage.name());
        match native {
            None => reader.note(
                format!("{folder}/{}/manifest.json", files::NATIVE),
                format!("it lists no native code of {stage}: write the package again"),
            ),
            Some(native) if native.component != digest.to_string() => reader.note(
                &file,
                format!(
                    "it is not the component that {stage}.cwasm was compiled from: write the \
                     package again"
                ),
            ),
            Some(_) => {}
        }
        let own = against.components.iter().find(|(other, _)| *other == stage);
        if own.is_some_and(|(_, own)| Digest::of(own) != digest) {
            let what = "it is not the component that this septet carries: package and check with \
                        the same septet";
            reader.note(&file, what);
        }
    }
    for native in listed {
        let file = format!("{folder}/{}/{}", files::NATIVE, native.file);
        let bytes = reader.bytes(&file);
        if bytes.is_some_and(|bytes| Digest::of(&bytes).to_string() != native.sha256) {
            reader.note(
                &file,
                "it is not the file that was packed: write the package again",
            );
        }
    }
}

/// A file of native code, as the list says.
struct Native {
    stage: String,
    file: String,
    component: String,
    sha256: String,
}

fn listed(reader: &mut Reader<'_>, folder: &str) -> Vec<Native> {
    let file = format!("{folder}/{}/manifest.json", files::NATIVE);
    let Some(manifest) = reader.json(&file) else {
        return Vec::new();
    };
    let entries = manifest.get("files").and_then(Value::as_array);
    let text = |entry: &Value, name: &str| -> Option<String> {
        entry.get(name).and_then(Value::as_str).map(str::to_owned)
    };
    let native = |entry: &Value| {
        let file = text(entry, "file")?;
        // A name, and no way out of the folder.
        let stage = file.strip_suffix(".cwasm")?.parse::<Stage>().ok()?;
        Some(Native {
            stage: stage.name().to_owned(),
            file,
            component: text(entry, "component")?,
            sha256: text(entry, "sha256")?,
        })
    };
    let mut found = Vec::new();
    for entry in entries.into_iter().flatten().take(16) {
        match native(entry) {
            Some(native) => found.push(native),
            None => reader.note(
                &file,
                "one of its entries is damaged: write the package again",
            ),
        }
    }
    found
}

/// septet.toml: what it says of limits, grants and deliveries.
fn settings(reader: &mut Reader<'_>, folder: &str, against: &Against<'_>) -> Said {
    let file = format!("{folder}/septet.toml");
    let mut said = Said {
        limits: Limits::default(),
        deliveries: u64::from(Policy::default().deliveries),
        timers: false,
        grants: against.grants.clone(),
    };
    let Some(text) = reader.text(&file) else {
        return said;
    };
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            let error: toml::de::Error = error;
            let message = error.message().replace('\n', " ");
            reader.note(file, format!("it is no TOML ({message}): correct it"));
            return said;
        }
    };
    if let Some(limits) = table.get("limits") {
        let limits: Result<Limits, _> = limits.clone().try_into();
        match limits.map_err(anyhow::Error::from).and_then(|limits| {
            limits.check()?;
            Ok(limits)
        }) {
            Ok(limits) => said.limits = limits,
            Err(error) => reader.note(&file, format!("[limits]: {}: correct it", one_line(&error))),
        }
    }
    let deliveries = table.get("work").and_then(|work| work.get("deliveries"));
    if let Some(deliveries) = deliveries.and_then(toml::Value::as_integer) {
        said.deliveries = u64::try_from(deliveries).unwrap_or(u64::MAX);
    }
    let timers = table.get("timer").and_then(toml::Value::as_array);
    said.timers = timers.is_some_and(|timers| !timers.is_empty());
    let kept = table.get("grants").and_then(toml::Value::as_table);
    for (stage, names) in kept.into_iter().flatten() {
        if let Err(error) = restrict(&mut said.grants, stage, names) {
            reader.note(&file, format!("[grants]: {}: correct it", one_line(&error)));
        }
    }
    said
}

fn restrict(grants: &mut Grants, stage: &str, names: &toml::Value) -> anyhow::Result<()> {
    let stage: Stage = stage.parse()?;
    let names = names.as_array().into_iter().flatten();
    let keep: Vec<Capability> = names
        .filter_map(toml::Value::as_str)
        .map(str::parse)
        .collect::<anyhow::Result<_>>()?;
    grants.restrict(stage, &keep)
}

fn one_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// .funcignore: a developer's settings stay with the developer.
fn ignored(reader: &mut Reader<'_>, folder: &str) {
    let file = format!("{folder}/.funcignore");
    let Some(text) = reader.text(&file) else {
        return;
    };
    if !text
        .lines()
        .any(|line| line.trim() == "local.settings.json")
    {
        let what = "local.settings.json is not in it, and would be deployed: add that line";
        reader.note(file, what);
    }
}
