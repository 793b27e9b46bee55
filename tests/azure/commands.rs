//! The commands of the real binary over a store in an account.

use std::fs;

use serde_json::Value;

use crate::support::{
    azurite::{self, Account},
    septet::{Ran, Workplace},
};

/// A folder whose commands keep their store in an account of its own.
pub(super) struct Cloud {
    pub(super) place: Workplace,
    pub(super) account: Account,
}

impl Cloud {
    /// None where the emulator can't be had.
    pub(super) fn new() -> Option<Self> {
        Some(Self {
            account: azurite::account()?,
            place: Workplace::new(),
        })
    }

    pub(super) fn septet(&self, arguments: &[&str]) -> Ran {
        let mut command = self.place.command(arguments);
        command.env("SEPTET_STORE", "azure:Cloud");
        command.env("Cloud", self.account.connection_string());
        command.output().unwrap().into()
    }
}

/// What the models of a store are, by their versions' digests.
fn models(log: &Value) -> Value {
    log["versions"].clone()
}

#[test]
fn the_demo_makes_the_same_models_as_in_a_folder() {
    let Some(cloud) = Cloud::new() else { return };
    let local = Workplace::new();
    local.septet(&["demo"]).ok();
    let told = cloud.septet(&["demo", "--store", "azure:Cloud"]).ok();
    assert!(told.stdout.contains("azure:Cloud"), "{}", told.stdout);
    let demo = local.path("septet-demo");
    let store = demo.join(".septet");
    let here = local
        .septet(&[
            "models",
            "show",
            "penguins",
            "--json",
            "--store",
            store.to_str().unwrap(),
        ])
        .json();
    let there = cloud
        .septet(&["models", "show", "penguins", "--json"])
        .json();
    println!("{here:#}\n{there:#}");
    assert_eq!(models(&here), models(&there));
    assert!(cloud.septet(&["store", "verify", "--json"]).json()["whole"] == true);
    for command in [
        &["runs"][..],
        &["models"],
        &["queues"],
        &["grants"],
        &["gc", "--dry-run"],
    ] {
        let ran = cloud.septet(command).ok();
        assert!(!ran.stdout.is_empty(), "{command:?}");
    }
    assert!(!fs::exists(cloud.place.path(".septet")).unwrap());
}

#[test]
fn what_is_wrong_with_an_account_is_one_clear_line() {
    let Some(cloud) = Cloud::new() else { return };
    let line = cloud.septet(&["runs"]).refused();
    assert!(line.contains("there is no store in 127.0.0.1:"), "{line}");
    let connection = cloud.account.connection_string();
    let key = cloud.account.key();
    let with = |connection: &str| {
        let mut command = cloud.place.command(&["runs", "--store", "azure:Cloud"]);
        let ran: Ran = command.env("Cloud", connection).output().unwrap().into();
        let line = ran.refused();
        assert!(line.contains("azure:Cloud"), "{line}");
        assert!(!line.contains(key) && !line.contains("d3Jvbmc"), "{line}");
        line
    };
    let line = with(&connection.replace(key, "d3Jvbmc="));
    assert!(line.contains("check the key"), "{line}");
    let line = with(&connection.replace(&cloud.account.name, "nobody"));
    assert!(line.contains("nobody"), "{line}");
    let line = with(
        "DefaultEndpointsProtocol=https;AccountName=nobodys;AccountKey=d3Jvbmc=;\
                     BlobEndpoint=https://nobodys.invalid;QueueEndpoint=https://nobodys.invalid",
    );
    assert!(
        line.contains("nobodys.invalid") && line.contains("not known"),
        "{line}"
    );
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let closed = format!(
        "AccountName=a;AccountKey=d3Jvbmc=;BlobEndpoint=http://127.0.0.1:{port}/a;\
         QueueEndpoint=http://127.0.0.1:{port}/a"
    );
    let line = with(&closed);
    assert!(line.contains("refused"), "{line}");
    let ran = cloud.place.septet(&["runs", "--store", "azure:Nowhere"]);
    let line = ran.refused();
    assert!(line.contains("there is no connection Nowhere"), "{line}");
}
