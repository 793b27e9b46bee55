//! What another implementation's clients write is read, and what Septet writes is read by them.

use std::{path::PathBuf, process::Command, sync::OnceLock};

use super::commands::Cloud;
use crate::{
    hosts::oracles::{installed, venv, workspace},
    support::septet::{Ran, demo},
};

/// The interpreter that has the service's own clients; none where Python's registry is out of reach.
pub(super) fn python() -> Option<&'static PathBuf> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let python = PYTHON.get_or_init(|| {
        let folder = installed("azure-python", "azure", &["requirements.txt"], venv);
        folder.map(|folder| folder.join("bin/python"))
    });
    python.as_ref()
}

#[test]
fn the_services_own_clients_agree() {
    let (Some(python), Some(cloud)) = (python(), Cloud::new()) else {
        return;
    };
    let peer = |phase: &str| {
        let script = workspace().join("tests/azure/peer.py");
        let mut command = Command::new(python);
        command
            .arg(script)
            .arg(phase)
            .arg(cloud.account.connection_string());
        let ran: Ran = command.output().unwrap().into();
        assert_eq!(ran.ok().stdout.trim(), "ok");
    };
    let data = demo("penguins.csv");
    let run = ["run", data.to_str().unwrap(), "--target", "sex", "--detach"];
    cloud.septet(&run).ok();
    peer("asked");
    cloud.septet(&["work", "--until-empty"]).ok();
    peer("done");
    let queues = cloud.septet(&["queues", "--json"]).json();
    assert!(queues.to_string().contains("ingest-poison"), "{queues}");
}
