//! The evil transforms of `tests/fixtures/evil`: Rust ones as examples of one package, and those
//! that no compiler would make as texts, some of them larger when they are read than they are
//! written.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::OnceLock};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::support::guests::{examples, workspace};

fn folder(name: &str) -> PathBuf {
    workspace().join("tests/fixtures/evil").join(name)
}

/// Names of the files with this ending.
fn names(within: &str, ending: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder(within))
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(ending).map(str::to_owned)
        })
        .collect();
    names.sort();
    names
}

/// Names of all attacks.
pub(crate) fn all() -> Vec<String> {
    let mut all = names("examples", ".rs");
    all.extend(names("wat", ".wat"));
    all.sort();
    all
}

/// The component of an attack.
pub(crate) fn evil(name: &str) -> Vec<u8> {
    static BUILT: OnceLock<BTreeMap<String, &'static [u8]>> = OnceLock::new();
    let text = folder("wat").join(format!("{name}.wat"));
    if text.exists() {
        return assembled(&text);
    }
    let built = BUILT.get_or_init(|| {
        let names = names("examples", ".rs");
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        examples("septet-evil", &names)
    });
    built[name].to_vec()
}

fn assembled(path: &PathBuf) -> Vec<u8> {
    let part = |name: &str| fs::read_to_string(folder("wat").join(name)).unwrap();
    let text = fs::read_to_string(path).unwrap();
    let text = text.replace("@prelude@", &part("prelude.txt"));
    let text = repeated(&text.replace("@describe@", &part("describe.txt")));
    let bytes = wat::parse_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    if !text.contains("\n(module") {
        return bytes;
    }
    // A core module that keeps the names of the canonical ABI and lies about what it passes.
    let mut resolve = Resolve::default();
    let package = resolve.push_dir(workspace().join("wit/deps/transform"));
    let world = resolve.select_world(&[package.unwrap().0], Some("user-transform"));
    let mut module = bytes;
    let utf8 = StringEncoding::UTF8;
    embed_component_metadata(&mut module, &resolve, world.unwrap(), utf8, false).unwrap();
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module).unwrap().encode().unwrap()
}

/// The text with each `@repeat N TEXT@` written out: `%n` in it counts from 1 and `%m` from 0.
fn repeated(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("@repeat ") {
        out += before;
        let (body, end) = after.split_once('@').unwrap();
        let (count, body) = body.split_once(' ').unwrap();
        for number in 1..=count.parse::<u32>().unwrap() {
            if body.contains('%') {
                let body = body.replace("%n", &number.to_string());
                out += &body.replace("%m", &(number - 1).to_string());
            } else {
                out += body;
            }
            out.push(' ');
        }
        rest = end;
    }
    out + rest
}

#[test]
fn repetitions_are_written_out() {
    assert_eq!(repeated("a @repeat 2 b%n%m@c"), "a b10 b21 c");
}
