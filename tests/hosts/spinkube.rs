//! examples/spinkube: the manifests fit the schemas of their kinds, spin.toml and each other.

use std::{fs, path::Path, process::Command};

use super::{
    call::fresh,
    oracles::{installed, venv, workspace},
};

#[test]
fn the_manifests_fit_their_schemas_and_each_other() {
    let pins = ["requirements.txt", "check.py", "schemas.json"];
    let Some(tools) = installed("spinkube", "hosts/spinkube", &pins, venv) else {
        return;
    };
    let check = |folder: &Path| {
        let mut command = Command::new(tools.join("bin/python"));
        let spin = workspace().join("spin.toml");
        command.arg(tools.join("check.py")).arg(folder).arg(spin);
        let output = command.output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(told).unwrap())
    };
    let manifests = workspace().join("examples/spinkube");
    let (fits, told) = check(&manifests);
    assert!(fits, "{told}");

    // What does not fit is told of.
    let copy = fresh();
    for (file, from, to, wrong) in [
        ("app.yaml", "executor:", "executer:", "executer"),
        (
            "app.yaml",
            "key: redis-url",
            "key: redis",
            "no Secret septet with redis",
        ),
        (
            "app.yaml",
            "- name: default",
            "- name: other",
            "default is configured nowhere",
        ),
        (
            "scale.yaml",
            "name: septet",
            "name: spetet",
            "no SpinApp spetet",
        ),
        (
            "scale.yaml",
            "value: \"60\"",
            "value: 60",
            "60 is not of type 'string'",
        ),
        ("sweep.yaml", "schedule:", "shedule:", "sweep.yaml"),
    ] {
        for entry in fs::read_dir(&manifests).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        let text = fs::read_to_string(manifests.join(file)).unwrap();
        assert!(text.contains(from), "{from}");
        // The last one, for a name comes more than once.
        let (before, after) = text.rsplit_once(from).unwrap();
        fs::write(copy.path().join(file), format!("{before}{to}{after}")).unwrap();
        let (fits, told) = check(copy.path());
        assert!(!fits && told.contains(wrong), "{wrong}: {told}");
    }
}
