//! docs/sandbox.md lists what there is: every limit with its default, and every attack.

use std::{collections::BTreeSet, fs};

use septet::stage::Limits;

use super::attacks::ATTACKS;
use crate::support::guests::workspace;

/// First cells of the rows of a section's table, without their marks.
fn rows(page: &str, section: &str) -> Vec<String> {
    let rest = page.split_once(&format!("## {section}\n")).unwrap().1;
    let rest = rest.split("\n## ").next().unwrap();
    rest.lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[test]
fn the_page_lists_every_limit_and_every_attack() {
    let page = fs::read_to_string(workspace().join("docs/sandbox.md")).unwrap();
    assert_eq!(rows(&page, "Limits"), Limits::NAMES);
    let listed: BTreeSet<String> = rows(&page, "Attacks").into_iter().collect();
    let there = ATTACKS.iter().map(|(name, _)| (*name).to_owned());
    assert_eq!(listed, there.collect());
}
