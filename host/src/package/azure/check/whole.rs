//! All checks of a package, in order.

use std::path::Path;

use anyhow::ensure;

use super::{Finding, apps, infra, reader::Reader, schema::Schemas};
use crate::{
    contract::Stage,
    package::{
        azure::{secrets, table::Table, write::TABLE},
        elf::Glibc,
    },
    stage::Grants,
};

/// What a package is held to.
#[derive(Debug)]
pub struct Against<'a> {
    /// What each stage may touch, by default: the settings in the package may take away.
    pub grants: &'a Grants,
    /// The newest glibc that the binary may ask for.
    pub glibc: Glibc,
    /// Each stage's component.
    pub components: &'a [(Stage, &'a [u8])],
    /// A folder with published JSON schemas.
    pub schemas: Option<&'a Path>,
}

/// What is wrong with the package in `folder`. An error is that it is none.
pub fn check(folder: &Path, against: &Against<'_>) -> anyhow::Result<Vec<Finding>> {
    ensure!(
        folder.join(TABLE).is_file(),
        "{} is no package: it has no {TABLE}; `septet azure package --out DIR` writes one",
        folder.display()
    );
    let schemas = Schemas::read(against.schemas)?;
    let mut reader = Reader::new(folder);
    let text = reader.text(TABLE);
    let table = text.and_then(|text| match Table::parse(text.as_bytes()) {
        Ok(table) => Some(table),
        Err(error) => {
            let what = format!("it is no table of rights ({error}): write the package again");
            reader.note(TABLE, what);
            None
        }
    });
    if let Some(table) = &table {
        let grants = apps::check(&mut reader, table, against, &schemas);
        infra::check(&mut reader, table, &grants);
    }
    for (file, text) in reader.texts() {
        // The program and its native code are no texts, and the table of rights names no value.
        if let Some((line, what)) = secrets::find(&text) {
            let what = format!(
                "line {line} holds {what}: put it into the Key Vault, name it with --secret, and \
                 make a new one"
            );
            reader.note(file, what);
        }
    }
    reader.findings.sort();
    reader.findings.dedup();
    Ok(reader.findings)
}
