//! A store behind a managed identity: the real binary, the endpoint of an instance, and the emulator
//! over TLS, which checks whom a token is for and until when.

use std::{path::PathBuf, process::Command};

use super::instance::{CLIENT, Instance, Mood};
use crate::support::{
    authority::Authority,
    azurite::{Account, Azurite},
    septet::{Ran, Workplace},
};

const STORE: &str = "azure:PipelineStorage";

/// The cheapest command that opens a store and reads it.
const CHEAP: [&str; 6] = [
    "work",
    "--until-empty",
    "--stages",
    "deploy",
    "--store",
    STORE,
];

/// An account that lets in who has a token, and an instance with an identity.
struct Site {
    place: Workplace,
    instance: Instance,
    account: Account,
    trusted: PathBuf,
    _azurite: Azurite,
}

impl Site {
    fn new() -> Option<Self> {
        let place = Workplace::new();
        let authority = Authority::new(&place.path("authority"))?;
        let leaf = authority.leaf("storage", &["IP:127.0.0.1"]);
        let (certificate, key) = (leaf.certificate.to_str()?, leaf.key.to_str()?);
        let options = ["--oauth", "basic", "--cert", certificate, "--key", key];
        let azurite = Azurite::own(&options)?;
        Some(Self {
            place,
            instance: Instance::new(Mood::Well),
            account: azurite.account(0),
            trusted: authority.certificate(),
            _azurite: azurite,
        })
    }

    fn uri(&self, service: &str) -> String {
        self.account
            .endpoint(service)
            .replace("http://", "https://")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(arguments);
        self.instance.host(&mut command);
        command
            .env("SSL_CERT_FILE", &self.trusted)
            .env_remove("SSL_CERT_DIR")
            .env("PipelineStorage__blobServiceUri", self.uri("blob"))
            .env("PipelineStorage__queueServiceUri", self.uri("queue"))
            .env("PipelineStorage__credential", "managedidentity");
        command
    }

    fn run(&self, arguments: &[&str], more: &[(&str, &str)]) -> Ran {
        let mut command = self.command(arguments);
        command.envs(more.iter().copied());
        command.output().unwrap().into()
    }

    /// The one line of a refusal, which has no secret in it.
    #[track_caller]
    fn refused(&self, more: &[(&str, &str)]) -> String {
        let line = self.run(&CHEAP, more).refused();
        for secret in ["topsecret", "eyJ", "instances-secret"] {
            assert!(!line.contains(secret), "{line}");
        }
        line
    }
}

#[test]
fn the_demo_runs_with_a_managed_identity() {
    let Some(site) = Site::new() else { return };
    site.run(&["demo", "--store", STORE], &[]).ok();
    // One token for the whole process, for storage and nothing else.
    let asked = site.instance.fake.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(
        asked[0].path.contains("https%3A%2F%2Fstorage.azure.com"),
        "{asked:?}"
    );
    assert!(!asked[0].path.contains("client_id"), "{asked:?}");
    // The user-assigned identity sees the same store.
    let listed = site.run(
        &["models", "--json", "--store", STORE],
        &[("PipelineStorage__clientId", CLIENT)],
    );
    assert!(listed.ok().stdout.contains("penguins"));
    let asked = site.instance.fake.asked();
    assert!(asked.last().unwrap().path.contains(CLIENT), "{asked:?}");
    // By the prefix of the Functions host, and with another case.
    let listed = site.run(
        &["models", "--store", STORE],
        &[
            (
                "azurewebjobspipelinestorage__blobserviceuri",
                &site.uri("blob"),
            ),
            (
                "AzureWebJobsPipelineStorage__queueServiceUri",
                &site.uri("queue"),
            ),
            ("AzureWebJobsPipelineStorage__credential", "managedidentity"),
        ],
    );
    assert!(listed.ok().stdout.contains("penguins"));
}

#[test]
fn who_has_no_right_token_is_told_why() {
    let Some(site) = Site::new() else { return };
    site.run(&CHEAP, &[]).ok();
    for (mood, told) in [
        (Mood::WrongAudience, "token"),
        (Mood::ExpiredUnsaid, "token"),
        (Mood::Expired, "has expired"),
        (Mood::NoIdentity, "PipelineStorage__clientId"),
        (Mood::Failing, "status 500"),
        (Mood::Garbage, "no token"),
    ] {
        site.instance.set(mood);
        let line = site.refused(&[]);
        assert!(line.contains(told), "{mood:?}: {line}");
    }
    site.instance.set(Mood::Well);
    let plain = site.account.endpoint("blob");
    for (more, told) in [
        (
            ("PipelineStorage__blobServiceUri", plain.as_str()),
            "is not https",
        ),
        (
            ("PipelineStorage__clientId", "another"),
            "knows no such identity",
        ),
        (("PipelineStorage__credential", "topsecret"), "is none of"),
        (
            ("IDENTITY_ENDPOINT", "http://127.0.0.1:1/"),
            "can be reached",
        ),
        (("IDENTITY_HEADER", "another"), "IDENTITY_HEADER"),
        (("PipelineStorage__accountName", "another"), "two places"),
        (("SSL_CERT_FILE", "/etc/hostname"), "TLS"),
        (("PipelineStorage", "topsecret"), "in PipelineStorage"),
    ] {
        let line = site.refused(&[more]);
        assert!(line.contains(told), "{line}");
    }
    // A token is sent nowhere in the clear: nothing was asked for one.
    let asked = site.instance.fake.asked().len();
    site.refused(&[("PipelineStorage__blobServiceUri", &plain)]);
    assert_eq!(site.instance.fake.asked().len(), asked);
    // And nobody is let in without one.
    let mut command = site.place.command(&["models", "--store", "azure:Nobody"]);
    site.instance.host(&mut command);
    let line = Ran::from(command.output().unwrap()).refused();
    assert!(line.contains("there is no connection Nobody"), "{line}");
}
