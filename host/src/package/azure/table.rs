//! `infra/rights.json`: what the Bicep files make, as one table that `main.bicep` loads.
//!
//! The files of Bicep hold no list of apps, queues or rights of their own: what is in this table is
//! what there is. So it can be checked without Azure, against the grants.

use std::collections::BTreeMap;

use anyhow::{bail, ensure};
use serde::{Deserialize, Serialize};

use super::{
    Secret,
    rights::{self, Right, Role, rights},
};
use crate::{contract::Stage, stage::Grants, store::check_queue};

/// How the table is written.
const FORMAT: u32 = 1;

/// The letters that Bicep's `uniqueString` gives.
const UNIQUE: usize = 13;

/// The longest name of a function app: what is longer is cut, and two hosts with the same beginning
/// would take each other's locks.
const LONGEST_APP: usize = 32;

/// The longest name of a storage account.
const LONGEST_ACCOUNT: usize = 24;

/// How many function apps there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One for each stage.
    Stages,
    /// One for all: its identity has the union of all rights, and only the sandbox separates the
    /// stages.
    One,
}

/// Where the stage train runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trainer {
    /// In its function app.
    App,
    /// In a Container Apps job, started by its queue.
    Job,
}

/// One app, or the job: who has an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Its name, which is also its folder's.
    pub name: String,
    /// What it runs.
    pub stages: Vec<Stage>,
    /// The memory of an instance, in MiB: 512, 2048 or 4096.
    pub memory: u32,
    /// The most instances.
    pub instances: u32,
    /// App settings, and the secret of the Key Vault that each one's value is.
    pub secrets: BTreeMap<String, String>,
}

/// What the Bicep files make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    format: u32,
    /// What names of resources begin with.
    pub prefix: String,
    /// How many apps there are.
    pub layout: Layout,
    /// Where train runs.
    pub train: Trainer,
    /// The function apps.
    pub apps: Vec<App>,
    /// The job; none where train runs in its app. At most one.
    pub jobs: Vec<App>,
    /// Containers for what arrives; ingest may read them.
    pub incoming: Vec<String>,
    /// The other containers.
    pub containers: Vec<String>,
    /// All queues.
    pub queues: Vec<String>,
    /// Azure's identifiers of the roles that are built in.
    pub roles: BTreeMap<Role, String>,
    /// Rights on containers.
    pub container_rights: Vec<Right>,
    /// Rights on queues.
    pub queue_rights: Vec<Right>,
}

impl Table {
    /// The table of a package.
    pub fn new(
        layout: Layout,
        train: Trainer,
        grants: &Grants,
        incoming: &[String],
        secrets: &[Secret],
    ) -> anyhow::Result<Self> {
        let in_job = |stage: &Stage| train == Trainer::Job && *stage == Stage::Train;
        let stages = Stage::ALL.into_iter().filter(|stage| !in_job(stage));
        let apps: Vec<App> = match layout {
            Layout::Stages => stages.map(|stage| app(stage.name(), vec![stage])).collect(),
            Layout::One => vec![app("all", stages.collect())],
        };
        let jobs = match train {
            Trainer::App => Vec::new(),
            Trainer::Job => vec![app(Stage::Train.name(), vec![Stage::Train])],
        };
        let mut table = Self {
            format: FORMAT,
            prefix: "septet".to_owned(),
            layout,
            train,
            apps,
            jobs,
            incoming: incoming.to_vec(),
            containers: [
                rights::CAS,
                rights::LEDGER,
                rights::REGISTRY,
                rights::MESSAGES,
            ]
            .map(str::to_owned)
            .to_vec(),
            queues: rights::queues(grants),
            roles: Role::ALL
                .into_iter()
                .filter_map(|role| Some((role, role.built_in()?.to_owned())))
                .collect(),
            container_rights: Vec::new(),
            queue_rights: Vec::new(),
        };
        for secret in secrets {
            table.add_secret(secret)?;
        }
        (table.container_rights, table.queue_rights) = table.rights(grants);
        table.check_names()?;
        Ok(table)
    }

    /// The table in a file.
    pub fn parse(text: &[u8]) -> anyhow::Result<Self> {
        let table: Self = serde_json::from_slice(text)?;
        ensure!(
            table.format == FORMAT,
            "its format is {}: this septet knows {FORMAT}",
            table.format
        );
        Ok(table)
    }

    /// Whoever has an identity: the apps, and the job.
    pub fn identities(&self) -> impl Iterator<Item = &App> {
        self.apps.iter().chain(&self.jobs)
    }

    /// What the apps of this table need: on containers, and on queues.
    pub fn rights(&self, grants: &Grants) -> (Vec<Right>, Vec<Right>) {
        let (mut containers, mut queues) = (Vec::new(), Vec::new());
        for app in self.identities() {
            let (of_containers, of_queues) = rights(&app.name, &app.stages, grants, &self.incoming);
            containers.extend(of_containers);
            queues.extend(of_queues);
        }
        (containers, queues)
    }

    fn add_secret(&mut self, secret: &Secret) -> anyhow::Result<()> {
        let names: Vec<String> = self.identities().map(|app| app.name.clone()).collect();
        if let Some(unknown) = secret.apps.iter().find(|app| !names.contains(app)) {
            bail!(
                "--secret {}: there is no app '{unknown}': choose among {}",
                secret.setting,
                names.join(", ")
            );
        }
        for app in self.apps.iter_mut().chain(&mut self.jobs) {
            if secret.apps.is_empty() || secret.apps.contains(&app.name) {
                app.secrets
                    .insert(secret.setting.clone(), secret.name.clone());
            }
        }
        Ok(())
    }

    /// Refuses names that Azure would not take or would cut.
    pub fn check_names(&self) -> anyhow::Result<()> {
        let plain = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        ensure!(
            plain(&self.prefix) && !self.prefix.starts_with(|c: char| c.is_ascii_digit()),
            "prefix '{}' is no name: give it lower-case letters and digits",
            self.prefix.escape_debug()
        );
        for app in self.identities() {
            let name = &app.name;
            ensure!(
                plain(name),
                "app '{}' is no name: give it lower-case letters and digits",
                name.escape_debug()
            );
            // {prefix}-{app}-{unique}
            let length = self.prefix.len() + name.len() + UNIQUE + 2;
            ensure!(
                length <= LONGEST_APP,
                "the name of app {name} has {length} letters with its prefix: at most \
                 {LONGEST_APP} are told apart, so shorten prefix '{}'",
                self.prefix
            );
            // h{app}{unique}
            let length = 1 + name.len() + UNIQUE;
            ensure!(
                length <= LONGEST_ACCOUNT,
                "the storage account of app {name} would have {length} letters: at most \
                 {LONGEST_ACCOUNT}, so shorten the app's name"
            );
        }
        for name in self
            .queues
            .iter()
            .chain(&self.containers)
            .chain(&self.incoming)
        {
            let fits = check_queue(name).is_ok() && name.len() >= 3 && !name.contains("--");
            ensure!(
                fits,
                "'{}' is no name of a container or queue: give it 3 to 63 lower-case letters, \
                 digits and single inner hyphens",
                name.escape_debug()
            );
        }
        Ok(())
    }
}

fn app(name: &str, stages: Vec<Stage>) -> App {
    let memory = match stages.as_slice() {
        [Stage::Train] => 4096,
        [_] => 2048,
        _ => 4096,
    };
    App {
        name: name.to_owned(),
        stages,
        memory,
        instances: 100,
        secrets: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(layout: Layout, train: Trainer) -> Table {
        let incoming = ["incoming".to_owned()];
        Table::new(layout, train, &Grants::default(), &incoming, &[]).unwrap()
    }

    #[test]
    fn every_identity_has_its_rights_and_nobody_else_any() {
        for (layout, train, apps) in [
            (Layout::Stages, Trainer::App, 7),
            (Layout::Stages, Trainer::Job, 6),
            (Layout::One, Trainer::App, 1),
            (Layout::One, Trainer::Job, 1),
        ] {
            let table = table(layout, train);
            assert_eq!(table.apps.len(), apps);
            assert_eq!(table.jobs.len(), usize::from(train == Trainer::Job));
            let names: Vec<_> = table.identities().map(|app| app.name.as_str()).collect();
            for right in table.container_rights.iter().chain(&table.queue_rights) {
                assert!(names.contains(&right.app.as_str()));
                let known = table
                    .queues
                    .iter()
                    .chain(&table.containers)
                    .chain(&table.incoming);
                assert!(known.into_iter().any(|name| *name == right.on), "{right:?}");
            }
            let text = serde_json::to_vec(&table).unwrap();
            assert_eq!(Table::parse(&text).unwrap(), table);
        }
    }

    #[test]
    fn the_longest_names_just_fit() {
        let mut table = table(Layout::Stages, Trainer::App);
        assert_eq!("septet-preprocess-".len() + UNIQUE, LONGEST_APP - 1);
        table.prefix = "septets".to_owned();
        table.check_names().unwrap();
        for (prefix, told) in [
            ("pipelines", "shorten prefix"),
            ("Septet", "no name"),
            ("", "no name"),
            ("7tet", "no name"),
        ] {
            table.prefix = prefix.to_owned();
            let error = table.check_names().unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_secret_is_of_the_apps_that_are_named() {
        let secret = |text: &str| text.parse::<Secret>().unwrap();
        let of = |secrets: &[Secret]| {
            Table::new(
                Layout::Stages,
                Trainer::App,
                &Grants::default(),
                &[],
                secrets,
            )
        };
        let table = of(&[secret("A=a"), secret("B=b@infer,ingest")]).unwrap();
        for app in &table.apps {
            let expected = if matches!(app.name.as_str(), "infer" | "ingest") {
                2
            } else {
                1
            };
            assert_eq!(app.secrets.len(), expected, "{}", app.name);
        }
        let told = of(&[secret("A=a@trian")]).unwrap_err().to_string();
        assert!(told.contains("no app 'trian'"), "{told}");
    }
}
