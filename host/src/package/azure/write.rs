//! Writes a package.
//!
//! The same input gives the same bytes. It makes new files only: a folder with something else in it
//! is refused, and an earlier package is taken away only where that was asked for.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;

use super::{
    Layout, Program, Secret, Shipped, Table, Trainer, files,
    infra::{DOCKERFILE, FIXED, azd},
    table::App,
};
use crate::{
    contract::Stage,
    stage::{Grants, Limits, ToShip, precompile},
};

/// Where the table is in a package; its being there says that a folder is one.
pub(super) const TABLE: &str = "infra/rights.json";

/// What a package has at its top; an earlier one's are taken away.
const TOP: [&str; 5] = [
    "apps",
    "jobs",
    "infra",
    "azure.yaml",
    ".github/workflows/deploy.yml",
];

/// What a package is made from.
#[derive(Debug)]
pub struct Package<'a> {
    /// The binary in every app.
    pub program: &'a Program,
    /// How many apps there are.
    pub layout: Layout,
    /// Where train runs.
    pub train: Trainer,
    /// What one call may take: its time-out is behind that.
    pub limits: &'a Limits,
    /// What each stage may touch.
    pub grants: &'a Grants,
    /// The user's settings.
    pub settings: &'a Shipped,
    /// Settings that the Key Vault has.
    pub secrets: &'a [Secret],
    /// Each stage's component, as the binary carries it.
    pub components: &'a [(Stage, &'a [u8])],
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// The apps, and the job.
    pub apps: Vec<String>,
    /// How many roles are assigned.
    pub rights: usize,
    /// What whoever deploys it should know.
    pub notes: Vec<String>,
}

impl Package<'_> {
    /// Writes the package into `out`, a new or empty folder; with `force` over an earlier package.
    pub fn write(&self, out: &Path, force: bool) -> anyhow::Result<Written> {
        // All that can be refused is refused before anything is written or taken away.
        let timeout = files::timeout(self.limits)?;
        let table = Table::new(
            self.layout,
            self.train,
            self.grants,
            &self.settings.containers,
            self.secrets,
        )?;
        make_room(out, force)?;
        for app in &table.apps {
            let folder = out.join("apps").join(&app.name);
            self.write_program(&folder, app)?;
            put_json(
                &folder.join("host.json"),
                &files::host(&app.stages, timeout),
            )?;
            for function in files::functions(&app.stages, self.settings.timers) {
                let file = folder.join(&function.name).join("function.json");
                put_json(&file, &function.file)?;
            }
            put_json(
                &folder.join("local.settings.json"),
                &files::local_settings(),
            )?;
            put(
                &folder.join(".funcignore"),
                files::FUNCIGNORE.as_bytes(),
                false,
            )?;
        }
        for job in &table.jobs {
            let folder = out.join("jobs").join(&job.name);
            self.write_program(&folder, job)?;
            put(&folder.join("Dockerfile"), DOCKERFILE.as_bytes(), false)?;
        }
        for fixed in FIXED {
            put(&out.join(fixed.path), fixed.text.as_bytes(), fixed.runs)?;
        }
        put(&out.join("azure.yaml"), azd(&table).as_bytes(), false)?;
        // Last: a folder with it is a whole package.
        put_json(&out.join(TABLE), &table)?;
        Ok(Written {
            apps: table.identities().map(|app| app.name.clone()).collect(),
            rights: table.container_rights.len() + table.queue_rights.len(),
            notes: self.notes(),
        })
    }

    /// The program, its components with their native code, and its settings.
    fn write_program(&self, folder: &Path, app: &App) -> anyhow::Result<()> {
        put(&folder.join(files::PROGRAM), &self.program.bytes, true)?;
        let needed = components(&app.stages);
        let mut ship = Vec::new();
        for stage in needed {
            let found = self.components.iter().find(|(other, _)| *other == stage);
            let (_, bytes) = found
                .with_context(|| format!("this septet was built without the stage {stage}"))?;
            put(&folder.join(format!("{stage}.wasm")), bytes, false)?;
            ship.push(ToShip {
                name: stage.name(),
                bytes,
                embedded: true,
            });
        }
        precompile(&ship, &folder.join(files::NATIVE))?;
        put(
            &folder.join("septet.toml"),
            self.settings.text.as_bytes(),
            false,
        )?;
        for (name, bytes) in &self.settings.files {
            put(&folder.join(name), bytes, false)?;
        }
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.layout == Layout::One {
            notes.push(
                "one app has one identity: it holds the rights of all stages together, and only \
                 the sandbox separates them; for development only"
                    .to_owned(),
            );
        }
        if self.train == Trainer::App && self.limits.wall_seconds > GRACE_SECONDS {
            notes.push(format!(
                "a training may take {} seconds (limit wall_seconds), and the platform waits at \
                 most {GRACE_SECONDS} when it takes an instance away: use --train job",
                self.limits.wall_seconds
            ));
        }
        if self
            .components
            .iter()
            .any(|(_, bytes)| !self.program.carries(bytes))
        {
            notes.push(format!(
                "{} does not carry the components of this septet: its apps compile their own when \
                 they start, which takes seconds; make the package with that binary itself",
                self.program.path.display()
            ));
        }
        notes
    }
}

/// How long the platform waits for what runs on an instance that it takes away.
const GRACE_SECONDS: u64 = 3600;

/// The components that an app of `stages` runs: evaluate has its candidate predict, and deploy loads
/// what it is to deploy.
pub(super) fn components(stages: &[Stage]) -> Vec<Stage> {
    let predicts = stages
        .iter()
        .any(|stage| matches!(stage, Stage::Evaluate | Stage::Deploy));
    Stage::ALL
        .into_iter()
        .filter(|stage| stages.contains(stage) || (predicts && *stage == Stage::Infer))
        .collect()
}

fn make_room(out: &Path, force: bool) -> anyhow::Result<()> {
    let shown = out.display();
    fs::create_dir_all(out).with_context(|| format!("the folder {shown} can't be made"))?;
    let entries = fs::read_dir(out).with_context(|| format!("the folder {shown} can't be read"))?;
    if entries.count() == 0 {
        return Ok(());
    }
    ensure!(
        out.join(TABLE).is_file(),
        "the folder {shown} has other files in it: name a new or an empty one"
    );
    if !force {
        bail!("the folder {shown} has a package already: write over it with --force");
    }
    for name in TOP {
        let path = out.join(name);
        let removed = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(_) => Ok(()),
        };
        removed.with_context(|| format!("{} can't be removed", path.display()))?;
    }
    Ok(())
}

fn put_json(path: &PathBuf, value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    put(path, &text, false)
}

fn put(path: &Path, bytes: &[u8], runs: bool) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, bytes)?;
        // Whatever the umask: what is deployed is read, and started, by another user.
        let mode = if runs { 0o755 } else { 0o644 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    };
    write().with_context(|| format!("{} can't be written", path.display()))
}
