//! The infrastructure: the table of rights against the grants, and what must not stand in the files
//! that tools of others read.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::Reader;
use crate::{
    package::azure::{
        infra::{FIXED, service},
        rights::{Right, Role, rights},
        table::Table,
        write::TABLE,
    },
    stage::Grants,
};

/// What a line of Bicep must not say, and what to do.
const FORBIDDEN: [(&str, &str); 9] = [
    (
        "managementPolicies",
        "a lifecycle rule deletes by age, and what is old here is live: take it away; `septet gc` \
         deletes what nothing names",
    ),
    (
        "allowSharedKeyAccess: true",
        "who has the account's key has every right: set it to false",
    ),
    (
        "allowBlobPublicAccess: true",
        "data would be open to everybody: set it to false",
    ),
    (
        "httpsOnly: false",
        "requests would be read on the way: set it to true",
    ),
    (
        "supportsHttpsTrafficOnly: false",
        "requests would be read on the way: set it to true",
    ),
    ("'TLS1_0'", "TLS 1.2 is the least: set TLS1_2"),
    ("'TLS1_1'", "TLS 1.2 is the least: set TLS1_2"),
    (
        "enablePurgeProtection: false",
        "a deleted vault takes its keys along: set it to true",
    ),
    (
        "functionsRuntimeAdminIsolationEnabled: false",
        "the Functions host's admin routes would be open: set it to true",
    ),
];

pub(super) fn check(reader: &mut Reader<'_>, table: &Table, grants: &[(String, Grants)]) {
    if let Err(error) = table.check_names() {
        reader.note(TABLE, format!("{error:#}"));
    }
    check_rights(reader, table, grants);
    for (role, id) in &table.roles {
        if role.built_in() != Some(id.as_str()) {
            let what = format!(
                "'{}' is not the identifier of role {role}: write the package again",
                id.escape_debug()
            );
            reader.note(TABLE, what);
        }
    }
    check_bicep(reader);
    check_azd(reader, table);
    check_workflow(reader);
}

/// Each need has its role, and there is no role without a need.
fn check_rights(reader: &mut Reader<'_>, table: &Table, grants: &[(String, Grants)]) {
    let mut needed: BTreeMap<(String, String, bool), BTreeSet<(Role, String)>> = BTreeMap::new();
    for app in table.identities() {
        let own = grants.iter().find(|(name, _)| *name == app.name);
        let Some((_, own)) = own else { continue };
        let (containers, queues) = rights(&app.name, &app.stages, own, &table.incoming);
        for right in containers.into_iter().chain(queues) {
            let key = (right.app, right.on, right.role.is_of_containers());
            needed
                .entry(key)
                .or_default()
                .insert((right.role, right.why));
        }
    }
    let mut given: BTreeMap<(String, String, bool), BTreeSet<Role>> = BTreeMap::new();
    for right in &table.container_rights {
        note_kind(reader, right, true);
        let key = (right.app.clone(), right.on.clone(), true);
        given.entry(key).or_default().insert(right.role);
    }
    for right in &table.queue_rights {
        note_kind(reader, right, false);
        let key = (right.app.clone(), right.on.clone(), false);
        given.entry(key).or_default().insert(right.role);
    }
    for (key @ (app, on, _), needs) in &needed {
        let had = given.get(key);
        for (role, why) in needs {
            // On a container a wider role does what a narrower would: that it is wider is told below.
            let enough = had.is_some_and(|had| {
                had.iter().any(|had| {
                    had == role || (role.is_of_containers() && had.is_of_containers() && had > role)
                })
            });
            if !enough {
                let what = format!(
                    "app {app} has no role {role} on {on}, which it needs ({why}): add it to the rights"
                );
                reader.note(TABLE, what);
            }
        }
    }
    for (key @ (app, on, is_container), roles) in &given {
        let needs = needed.get(key);
        for role in roles {
            let within = needs.is_some_and(|needs| {
                needs.iter().any(|(need, _)| {
                    need == role || (*is_container && role.is_of_containers() && role < need)
                })
            });
            if !within {
                let what = format!(
                    "app {app} has role {role} on {on}, which is wider than what its stages are \
                     granted: take it from the rights"
                );
                reader.note(TABLE, what);
            }
        }
    }
}

fn note_kind(reader: &mut Reader<'_>, right: &Right, container: bool) {
    if right.role.is_of_containers() != container {
        let what = format!(
            "app {} has role {} on {}, which is not one for that kind of place: correct it",
            right.app, right.role, right.on
        );
        reader.note(TABLE, what);
    }
}

/// The files of Bicep are the user's to change, within bounds.
fn check_bicep(reader: &mut Reader<'_>) {
    for fixed in FIXED {
        if reader.metadata(fixed.path).is_none() {
            reader.note(fixed.path, "it is missing: write the package again");
        }
    }
    let texts = reader.texts();
    for (file, text) in texts.iter().filter(|(file, _)| file.ends_with(".bicep")) {
        for (number, line) in (1..).zip(text.lines()) {
            let code = line.split("//").next().unwrap_or_default();
            for (mark, what) in FORBIDDEN {
                if code.contains(mark) {
                    reader.note(file, format!("line {number} says {mark}: {what}"));
                }
            }
        }
        // Roles are assigned where the package's own files assign them, and as often.
        let own = FIXED.iter().find(|fixed| fixed.path == file);
        let count = |text: &str| {
            text.matches("Microsoft.Authorization/roleAssignments@")
                .count()
        };
        let expected = own.map_or(0, |own| count(own.text));
        if count(text) > expected {
            let what = format!(
                "it assigns a role that {TABLE} does not say: write it there, and take it from here"
            );
            reader.note(file, what);
        }
        if file == "infra/main.bicep" && !text.contains("loadJsonContent('rights.json')") {
            let what = "it does not load rights.json, so what was checked is not what is made: \
                        write the package again";
            reader.note(file, what);
        }
    }
}

fn check_azd(reader: &mut Reader<'_>, table: &Table) {
    let file = "azure.yaml";
    let Some(text) = reader.text(file) else {
        return;
    };
    for app in &table.apps {
        let service = service(&app.name);
        if !text.contains(&service) {
            let what = format!(
                "the service of app {} is missing or another: it has {}",
                app.name,
                service.split_whitespace().collect::<Vec<_>>().join(" ")
            );
            reader.note(file, what);
        }
    }
}

/// The workflow has no stored credential, and runs nobody's newest code.
fn check_workflow(reader: &mut Reader<'_>) {
    let file = ".github/workflows/deploy.yml";
    let Some(text) = reader.text(file) else {
        return;
    };
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_start().trim_start_matches("- ");
        if let Some(action) = line.strip_prefix("uses:") {
            let reference = action.split('#').next().unwrap_or_default().trim();
            let version = reference.split_once('@').map_or("", |(_, version)| version);
            let pinned = version.len() == 40 && version.bytes().all(|b| b.is_ascii_hexdigit());
            if !pinned && !reference.starts_with("./") {
                let what = format!(
                    "line {number}: '{}' is not pinned: name the commit, 40 hexadecimal digits",
                    reference.escape_debug()
                );
                reader.note(file, what);
            }
        }
        if line.starts_with("creds:") || line.contains("secrets.AZURE_CREDENTIALS") {
            let what = format!(
                "line {number} logs in with a stored credential: use the workflow's own identity \
                 (client-id, tenant-id, subscription-id)"
            );
            reader.note(file, what);
        }
    }
}
