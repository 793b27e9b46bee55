//! `septet azure package`: writes the folder that is deployed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use septet::{
    components::EMBEDDED,
    package::{
        azure::{GLIBC, Layout, Package as Made, Program, Secret, Shipped, Trainer, Written},
        elf::Glibc,
    },
};

use super::super::{
    args::{Apps, Package, Train},
    output,
    session::Origin,
};
use crate::config::running;

/// More secrets than any app has.
const MOST_SECRETS: usize = 100;

/// Writes the package.
pub(crate) fn package(origin: &Origin, package: &Package) -> anyhow::Result<()> {
    let settings = match settings_file(origin) {
        Some(path) => Shipped::read(&path)?,
        None => Shipped::none(),
    };
    ensure!(
        package.secrets.len() <= MOST_SECRETS,
        "--secret is given {} times: at most {MOST_SECRETS}",
        package.secrets.len()
    );
    let secrets: Vec<Secret> = package
        .secrets
        .iter()
        .map(|secret| secret.parse())
        .collect::<anyhow::Result<_>>()?;
    let limits = &origin.settings.limits;
    limits.check()?;
    let program = match &package.binary {
        Some(path) => path.clone(),
        None => running()?,
    };
    let program = Program::read(&program, glibc(&package.glibc)?)?;
    let made = Made {
        program: &program,
        layout: match package.apps {
            Apps::Stages => Layout::Stages,
            Apps::One => Layout::One,
        },
        train: match package.train {
            Train::App => Trainer::App,
            Train::Job => Trainer::Job,
        },
        limits,
        grants: &origin.grants()?,
        settings: &settings,
        secrets: &secrets,
        components: &EMBEDDED.map(|(stage, bytes)| (stage, bytes)),
    };
    let written = made.write(&package.out, package.force)?;
    if origin.global.json {
        return output::json(&written);
    }
    output::text_line(&lines(&package.out, &written))
}

/// A version of glibc, as a flag or an earlier package says it.
pub(super) fn glibc(text: &str) -> anyhow::Result<Glibc> {
    Glibc::parse(text).with_context(|| {
        format!(
            "--glibc '{}' is no version: give it as {GLIBC}",
            text.escape_debug()
        )
    })
}

/// The file of the settings, as the command found it.
fn settings_file(origin: &Origin) -> Option<PathBuf> {
    let named = origin.global.config.clone();
    let default = || {
        Path::new("septet.toml")
            .is_file()
            .then(|| "septet.toml".into())
    };
    named.or_else(default)
}

fn lines(out: &Path, written: &Written) -> String {
    let mut lines = vec![format!(
        "{} is written: {}, with {} rights",
        out.display(),
        written.apps.join(", "),
        written.rights
    )];
    lines.extend(written.notes.iter().map(|note| format!("note: {note}")));
    lines.push(format!("next: septet azure check {}", out.display()));
    lines.join("\n")
}
