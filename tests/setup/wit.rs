//! The contracts change only with the version step that linking needs.
//!
//! wasmtime links a component to a host by compatible version: a host may have functions that the
//! component does not know, but a record, variant, enum or signature must be the same to the last
//! case. So what is only added is a patch, and anything else is the next minor version, which the
//! host then links beside the old one.
//!
//! `frozen/` holds each package at each of its versions. A frozen file is never edited: to change a
//! contract, step its version and add a file. (Until the first release, 0.1.0 itself still moves.)

use std::{fs, path::Path};

use wit_component::WitPrinter;
use wit_parser::{PackageId, Resolve, UnresolvedPackageGroup};

use crate::hosts::oracles::workspace;

/// The packages, each after those it uses.
const PACKAGES: [&str; 3] = ["transform", "capability", "pipeline"];

/// What a change needs.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    None,
    Patch,
    Minor,
}

/// The step from one text of a package to another, by their meaning: comments do not count.
fn step(old: (&Resolve, PackageId), new: (&Resolve, PackageId)) -> Step {
    let before = meaning(old.0, old.1);
    if before == meaning(new.0, new.1) {
        return Step::None;
    }
    let mut common = new.0.clone();
    let package = &mut common.packages[new.1];
    let frozen = &old.0.packages[old.1];
    package
        .worlds
        .retain(|name, _| frozen.worlds.contains_key(name));
    package
        .interfaces
        .retain(|name, _| frozen.interfaces.contains_key(name));
    for (name, id) in &package.interfaces {
        let frozen = &old.0.interfaces[frozen.interfaces[name]];
        let interface = &mut common.interfaces[*id];
        interface
            .functions
            .retain(|name, _| frozen.functions.contains_key(name));
        interface
            .types
            .retain(|name, _| frozen.types.contains_key(name));
    }
    if before == meaning(&common, new.1) {
        Step::Patch
    } else {
        Step::Minor
    }
}

/// A package's text without comments, its own version, and the patch level of others.
fn meaning(resolve: &Resolve, package: PackageId) -> String {
    let mut printer = WitPrinter::default();
    printer.emit_docs(false);
    printer.print(resolve, package, &[]).unwrap();
    let text = printer.output.to_string();
    text.lines()
        .filter(|line| !line.starts_with("package "))
        .map(|line| without_patch(line) + "\n")
        .collect()
}

/// `a:b/c@0.1.2.{d}` with `@0.1`: versions that differ in the patch alone are the same to linking.
fn without_patch(line: &str) -> String {
    let Some((before, after)) = line.split_once('@') else {
        return line.to_owned();
    };
    let digits = |text: &str| {
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len())
    };
    let major = digits(after);
    let minor = major + 1 + digits(&after[major + 1..]);
    let patch = minor + 1 + digits(&after[minor + 1..]);
    format!("{before}@{}{}", &after[..minor], &after[patch..])
}

/// Whether going from one version to the other is at least this step.
fn stepped(old: &[u64; 3], new: &[u64; 3], step: &Step) -> bool {
    match step {
        Step::None => old == new,
        Step::Patch => new > old,
        Step::Minor => new[..2] > old[..2],
    }
}

fn version(resolve: &Resolve, package: PackageId) -> [u64; 3] {
    let version = resolve.packages[package].name.version.clone().unwrap();
    [version.major, version.minor, version.patch]
}

fn spelled(version: &[u64; 3]) -> String {
    version.map(|number| number.to_string()).join(".")
}

/// All frozen versions of the packages, in one resolve; for each package from old to new.
fn frozen(folder: &Path) -> (Resolve, Vec<(&'static str, Vec<PackageId>)>) {
    let mut resolve = Resolve::default();
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let found = PACKAGES.map(|name| {
        let mut versions: Vec<_> = files
            .iter()
            .filter(|path| {
                path.file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .starts_with(&format!("{name}-"))
            })
            .map(|path| {
                let group = UnresolvedPackageGroup::parse(path, &fs::read_to_string(path).unwrap());
                let group =
                    group.unwrap_or_else(|(_, error)| panic!("{}: {error}", path.display()));
                let package = resolve.push_group(group).unwrap();
                let file = format!("{name}-{}.wit", spelled(&version(&resolve, package)));
                assert!(path.ends_with(&file), "{} holds {file}", path.display());
                package
            })
            .collect();
        versions.sort_by_key(|package| version(&resolve, *package));
        (name, versions)
    });
    (resolve, found.into())
}

#[test]
fn the_contracts_change_only_with_a_version_step() {
    let (old, found) = frozen(&workspace().join("tests/setup/frozen"));
    let mut new = Resolve::default();
    new.push_dir(workspace().join("wit")).unwrap();
    for (name, versions) in found {
        for pair in versions.windows(2) {
            let [before, after] = [pair[0], pair[1]].map(|package| version(&old, package));
            let needed = step((&old, pair[0]), (&old, pair[1])).max(Step::Patch);
            assert!(
                stepped(&before, &after, &needed),
                "septet:{name} {} is not a {needed:?} step from {}",
                spelled(&after),
                spelled(&before)
            );
        }
        let (current, _) = new
            .packages
            .iter()
            .find(|(_, package)| package.name.namespace == "septet" && package.name.name == name)
            .unwrap();
        let now = version(&new, current);
        let last = *versions.last().unwrap();
        let frozen = version(&old, last);
        let needed = step((&old, last), (&new, current));
        let file = format!("tests/setup/frozen/{name}-{}.wit", spelled(&now));
        assert!(
            stepped(&frozen, &now, &needed),
            "septet:{name} {} differs from the frozen {} by what needs this step: {needed:?}. \
             Step its version in wit/ and freeze it as {file}",
            spelled(&now),
            spelled(&frozen)
        );
        assert_eq!(
            now, frozen,
            "septet:{name} has a new version: freeze it as {file}"
        );
    }
}

/// The step between two interfaces' bodies.
fn between(old: &str, new: &str) -> Step {
    let parsed = |version: &str, body: &str| {
        let mut resolve = Resolve::default();
        let text = format!("package a:b@{version};\n{body}");
        let package = resolve.push_source("a.wit", &text).unwrap();
        (resolve, package)
    };
    let (old, new) = (parsed("0.1.0", old), parsed("0.2.0", new));
    step((&old.0, old.1), (&new.0, new.1))
}

const SMALL: &str = "interface i { enum e { x, y } record r { a: u32, b: e } f: func(r: r) -> e; } world w { import i; }";

#[test]
fn a_comment_needs_no_step() {
    let documented = SMALL.replace("enum e", "/// Says more.\n enum e");
    assert_eq!(between(SMALL, &documented), Step::None);
}

#[test]
fn what_is_only_added_is_a_patch() {
    let function = SMALL.replace("world w", "interface j { h: func(); } world w");
    assert_eq!(between(SMALL, &function), Step::Patch);
    let function = SMALL.replace("f: func", "g: func() -> u32; f: func");
    assert_eq!(between(SMALL, &function), Step::Patch);
    let with_type = SMALL.replace("f: func", "record s { c: u8 } g: func() -> s; f: func");
    assert_eq!(between(SMALL, &with_type), Step::Patch);
}

#[test]
fn anything_else_is_the_next_minor_version() {
    for (from, to) in [
        ("x, y", "x, y, z"),
        ("a: u32", "a: u64"),
        ("a: u32, ", ""),
        ("a: u32, b: e", "b: e, a: u32"),
        ("f: func(r: r)", "f: func(r: r, more: bool)"),
        ("f: func", "g: func"),
        ("import i", "export i"),
    ] {
        let changed = SMALL.replace(from, to);
        assert_ne!(changed, SMALL);
        assert_eq!(between(SMALL, &changed), Step::Minor, "{from} → {to}");
    }
}

#[test]
fn a_step_is_at_least_what_is_needed() {
    assert!(stepped(&[0, 1, 0], &[0, 1, 0], &Step::None));
    assert!(!stepped(&[0, 1, 0], &[0, 1, 0], &Step::Patch));
    assert!(stepped(&[0, 1, 0], &[0, 1, 1], &Step::Patch));
    assert!(!stepped(&[0, 1, 0], &[0, 1, 1], &Step::Minor));
    assert!(stepped(&[0, 1, 3], &[0, 2, 0], &Step::Minor));
    assert_eq!(
        without_patch("  use a:b/c@0.1.12.{d};"),
        "  use a:b/c@0.1.{d};"
    );
    assert_eq!(without_patch("import a:b/c@1.22.3;"), "import a:b/c@1.22;");
}
