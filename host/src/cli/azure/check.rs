//! `septet azure check`: looks at a package.

use anyhow::ensure;
use septet::{
    components::EMBEDDED,
    package::azure::{Against, Finding, check as look},
    stage::Grants,
};
use serde_json::json;

use super::{
    super::{args::Check, output, session::Origin},
    package::glibc,
};

/// Checks the package. The settings are those that are in it, and not those of this folder.
pub(crate) fn check(origin: &Origin, check: &Check) -> anyhow::Result<()> {
    let findings = look(
        &check.dir,
        &Against {
            grants: &Grants::default(),
            glibc: glibc(&check.glibc)?,
            components: &EMBEDDED.map(|(stage, bytes)| (stage, bytes)),
            schemas: check.schemas.as_deref(),
        },
    )?;
    let shown = check.dir.display();
    if origin.global.json {
        output::json(&json!({ "findings": findings }))?;
    } else if findings.is_empty() {
        output::text_line(&format!("{shown}: nothing is wrong with it"))?;
    } else {
        let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
        output::text_line(&lines.join("\n"))?;
    }
    ensure!(
        findings.is_empty(),
        "{shown}: {} wrong with it",
        match findings.len() {
            1 => "one thing is".to_owned(),
            count => format!("{count} things are"),
        }
    );
    Ok(())
}
