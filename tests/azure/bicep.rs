//! The Bicep files, read by a grammar of the language: its compiler is in no registry of packages.
//!
//! That is less than compiling them, and `infra/validate.sh` of a package does that where Azure is.

use std::{fs, process::Command};

use tempfile::TempDir;

use crate::hosts::oracles::{installed, venv, workspace};

#[test]
fn the_files_are_bicep_and_their_modules_fit_together() {
    let pins = ["requirements.txt", "read.py"];
    let Some(folder) = installed("bicep", "azure/bicep", &pins, venv) else {
        return;
    };
    let read = |infra: &std::path::Path| {
        let mut command = Command::new(folder.join("bin/python"));
        command.arg(folder.join("read.py")).arg(infra);
        let output = command.output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(told).unwrap())
    };
    let infra = workspace().join("host/src/package/azure/infra");
    let (fits, told) = read(&infra);
    assert!(fits, "{told}");

    // What does not fit is told of.
    let copy = TempDir::new().unwrap();
    fs::create_dir(copy.path().join("modules")).unwrap();
    for folder in ["", "modules"] {
        for entry in fs::read_dir(infra.join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.path().is_file() {
                let to = copy.path().join(folder).join(entry.file_name());
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let main = copy.path().join("main.bicep");
    let good = fs::read_to_string(&main).unwrap();
    for (from, to, wrong) in [
        ("    why: right.why\n", "", "containerRights lacks why"),
        ("why: right.why", "what: right.why", "has no what"),
        (
            "vault.outputs.uri",
            "vault.outputs.url",
            "vault has no output url",
        ),
        ("var token = ", "var token = = ", "not Bicep"),
    ] {
        fs::write(&main, good.replacen(from, to, 1)).unwrap();
        let (fits, told) = read(copy.path());
        assert!(!fits && told.contains(wrong), "{wrong}: {told}");
    }
}
