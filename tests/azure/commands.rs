//! The commands of the real binary over a store in an account.

use std::{fs, process::Command, sync::Arc};

use septet::store::{Mode, Store, SystemClock, azure::Azure};
use serde_json::Value;

use crate::{
    store::backends::connection,
    support::{
        azurite::{self, Account},
        septet::{Ran, Workplace},
    },
};

/// A key that no account has.
const WRONG: &str =
    "d3JvbmctdGVzdC1rZXktLXNlcHRldC10ZXN0LWtleS1zZXB0ZXQtdGVzdC1rZXktc2VwdGV0LXRlc3Qta2V5IQ==";

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
        self.command(arguments).output().unwrap().into()
    }

    /// The binary, ready to run here.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(arguments);
        command.env("SEPTET_STORE", "azure:Cloud");
        command.env("Cloud", self.account.connection_string());
        command
    }

    /// The store, as this process sees it.
    pub(super) async fn store(&self) -> Store {
        let clock = Arc::new(SystemClock);
        let opened = Azure::open(connection(&self.account), Mode::Create, clock);
        opened.await.unwrap().store()
    }
}

/// The digests of a model's versions.
fn models(shown: &Value) -> Vec<&str> {
    let versions = shown["versions"].as_array().unwrap();
    let digests = versions.iter().map(|version| &version["digest"]);
    digests.map(|digest| digest.as_str().unwrap()).collect()
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
    assert_eq!(models(&here), models(&there));
    assert_eq!(models(&here).len(), 1);
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
        assert!(!line.contains(key) && !line.contains(WRONG), "{line}");
        line
    };
    let line = with(&connection.replace(key, WRONG));
    assert!(line.contains("check the key"), "{line}");
    let line = with(&connection.replace(&cloud.account.name, "nobody"));
    assert!(line.contains("nobody"), "{line}");
    let line = with(&format!(
        "AccountName=nobodys;AccountKey={WRONG};BlobEndpoint=https://nobodys.invalid;\
         QueueEndpoint=https://nobodys.invalid"
    ));
    assert!(
        line.contains("nobodys.invalid") && line.contains("not known"),
        "{line}"
    );
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let closed = format!(
        "AccountName=abc;AccountKey={WRONG};BlobEndpoint=http://127.0.0.1:{port}/abc;\
         QueueEndpoint=http://127.0.0.1:{port}/abc"
    );
    let line = with(&closed);
    assert!(line.contains("refused"), "{line}");
    let ran = cloud.place.septet(&["runs", "--store", "azure:Nowhere"]);
    let line = ran.refused();
    assert!(line.contains("there is no connection Nowhere"), "{line}");
}
