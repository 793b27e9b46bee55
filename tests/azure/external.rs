//! An existing Python Function in a stage's place, behind queues of the account: read and written by
//! the service's own client, as bindings do.

use std::process::{Command, Stdio};

use super::{commands::Cloud, peer::python};
use crate::{
    hosts::oracles::workspace,
    support::septet::{Ran, demo},
};

#[test]
fn a_function_behind_queues_takes_a_stages_place() {
    let (Some(python), Some(cloud)) = (python(), Cloud::new()) else {
        return;
    };
    let settings = "[deploy]\nexternal = { queue = \"deploy-python\", version = \"1\" }\n\
                    [limits]\nwall_seconds = 120\n";
    cloud.place.write("septet.toml", settings);
    let reader = Command::new(python)
        .arg(workspace().join("tests/azure/reader.py"))
        .arg(cloud.account.connection_string())
        .args(["deploy-python", "deploy-outcomes"])
        .env("PYTHONPATH", workspace().join("python"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let data = demo("penguins.csv");
    let run = ["run", data.to_str().unwrap(), "--target", "sex", "--json"];
    let ran = cloud.septet(&run);
    let read: Ran = reader.wait_with_output().unwrap().into();
    assert_eq!(read.ok().stdout.trim(), "ok");
    assert!(ran.stderr.contains("was set apart"), "{}", ran.stderr);
    let report = ran.json();
    assert_eq!(report["deployed"]["alias"], "champion", "{report}");
}
