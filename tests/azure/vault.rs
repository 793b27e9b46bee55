//! Keys from Key Vault: fetched, followed, and refused in one line.

use std::{
    io::Read as _,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use super::{
    instance::{CLIENT, Instance, Mood, now, token},
    vaults::{ASSERTION, HOST, OLD, Vault, Way},
};
use crate::{
    serve::client::Client,
    support::septet::{Ran, Workplace},
};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Nothing here may take longer.
const LONGEST: Duration = Duration::from_mins(1);

/// Runs the cheapest command that needs the store's key.
fn runs(vault: &Vault, reference: &str, more: &[(&str, &str)]) -> Ran {
    let place = Workplace::new();
    let mut command = place.command(&["work", "--until-empty", "--stages", "deploy"]);
    vault.host(&mut command);
    command
        .env("SEPTET_STORE_KEY", reference)
        .envs(more.iter().copied());
    command.output().unwrap().into()
}

/// The one line, which has no secret in it.
#[track_caller]
fn refused(ran: Ran) -> String {
    let line = ran.refused();
    for secret in ["topsecret", "eyJ", &KEY[..16], "instances-secret"] {
        assert!(!line.contains(secret), "{line}");
    }
    line
}

#[test]
fn a_stores_key_is_fetched() {
    let Some(vault) = Vault::new(KEY) else { return };
    runs(&vault, &Vault::reference(), &[]).ok();
    let asked = vault.fake.asked();
    // Without a token first, and then with one for vaults.
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].header("authorization").is_none());
    let tokens = vault.instance.fake.asked();
    assert_eq!(tokens.len(), 1);
    assert!(tokens[0].path.contains("vault.azure.net"), "{tokens:?}");
    // As the user-assigned identity, by its client id or its path in the cloud.
    let path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/septet";
    for (name, value) in [
        ("KeyVault__clientId", CLIENT),
        ("KeyVault__managedIdentityResourceId", path),
    ] {
        let more = [("KeyVault__credential", "managedidentity"), (name, value)];
        runs(&vault, &Vault::reference(), &more).ok();
    }
    // Busy at first: it is asked again when it wants to be.
    vault.set(Way::StatusFor(1, 429, Some(2)));
    let begun = Instant::now();
    runs(&vault, &Vault::reference(), &[]).ok();
    assert!(begun.elapsed() >= Duration::from_secs(2));
}

#[test]
fn a_vaults_refusals_are_told() {
    let Some(vault) = Vault::new(KEY) else { return };
    for (way, told) in [
        (Way::Status(403, None), "Key Vault Secrets User"),
        (Way::Status(404, None), "no such secret"),
        (Way::Status(429, Some(3600)), "too many requests"),
        (Way::Foreign, "not its own"),
        (Way::Status(500, Some(100)), "status 500"),
    ] {
        vault.set(way);
        let line = refused(runs(&vault, &Vault::reference(), &[]));
        assert!(line.contains("secret key of vault septet-test"), "{line}");
        assert!(line.contains(told), "{line}");
    }
    vault.set(Way::Well);
    let missing = format!("@Microsoft.KeyVault(SecretUri=https://{HOST}/secrets/other)");
    assert!(refused(runs(&vault, &missing, &[])).contains("no such secret"));
    // An older version is another secret, and this one is no store's key.
    let older =
        format!("@Microsoft.KeyVault(VaultName=septet-test;SecretName=key;SecretVersion={OLD})");
    assert!(refused(runs(&vault, &older, &[])).contains("is no key"));
    // Nobody but a vault is asked.
    let asked = vault.fake.asked().len();
    let elsewhere = "@Microsoft.KeyVault(SecretUri=https://septet.example/secrets/key)";
    assert!(refused(runs(&vault, elsewhere, &[])).contains("no other is asked"));
    assert_eq!(vault.fake.asked().len(), asked);
    // A vault whose certificate nobody vouches for.
    let more = [("SSL_CERT_FILE", "/etc/hostname")];
    let line = refused(runs(&vault, &Vault::reference(), &more));
    assert!(line.contains("TLS"), "{line}");
}

#[test]
fn what_is_no_answer_ends_in_time() {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let Some(vault) = Vault::new(KEY) else { return };
            vault.instance.set(Mood::Hanging);
            let begun = Instant::now();
            let line = refused(runs(&vault, &Vault::reference(), &[]));
            assert!(line.contains("managed identities"), "{line}");
            assert!(begun.elapsed() < Duration::from_secs(55), "{line}");
        });
        for way in [Way::Garbage, Way::Endless, Way::Slow, Way::Hanging] {
            scope.spawn(move || {
                let Some(vault) = Vault::new(KEY) else { return };
                vault.set(way.clone());
                let begun = Instant::now();
                let line = refused(runs(&vault, &Vault::reference(), &[]));
                assert!(line.contains("the vault "), "{way:?}: {line}");
                assert!(begun.elapsed() < Duration::from_secs(55), "{way:?}");
            });
        }
    });
}

#[test]
fn without_a_token_no_secret_is_asked_for() {
    let Some(vault) = Vault::new(KEY) else { return };
    for (mood, told) in [
        (Mood::NoIdentity, "KeyVault__clientId"),
        (Mood::Failing, "status 500"),
        (Mood::Garbage, "no token"),
        (Mood::Endless, "no token"),
        (Mood::Expired, "has expired"),
    ] {
        vault.instance.set(mood);
        let line = refused(runs(&vault, &Vault::reference(), &[]));
        assert!(line.contains(told), "{mood:?}: {line}");
    }
    // What passes is waited for.
    let fresh = Instance::new(Mood::FailingTwice);
    let endpoint = format!("{}/msi/token", fresh.fake.url());
    runs(
        &vault,
        &Vault::reference(),
        &[("IDENTITY_ENDPOINT", &endpoint)],
    )
    .ok();
    assert_eq!(fresh.fake.asked().len(), 3);
    // A token for somebody else is not accepted by the vault.
    vault.instance.set(Mood::WrongAudience);
    let line = refused(runs(&vault, &Vault::reference(), &[]));
    assert!(line.contains("status 401"), "{line}");
    vault.instance.set(Mood::Well);
    let other = [
        ("KeyVault__credential", "managedidentity"),
        ("KeyVault__clientId", "another"),
    ];
    let line = refused(runs(&vault, &Vault::reference(), &other));
    assert!(line.contains("knows no such identity"), "{line}");
    let odd = [("KeyVault__credential", "topsecret")];
    let line = refused(runs(&vault, &Vault::reference(), &odd));
    assert!(line.contains("KeyVault__credential is none of"), "{line}");
    let gone = [("IDENTITY_ENDPOINT", "http://127.0.0.1:1/")];
    let line = refused(runs(&vault, &Vault::reference(), &gone));
    assert!(line.contains("can be reached"), "{line}");
}

/// A server that takes its key from the vault.
struct Serving {
    child: Child,
    client: Client,
}

impl Serving {
    fn start(place: &Workplace, vault: &Vault) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = port.local_addr().unwrap();
        drop(port);
        place.write("septet.toml", format!("[http]\nlisten = \"{address}\"\n"));
        let mut command = place.command(&["serve", "--stages", "deploy"]);
        vault.host(&mut command);
        command
            .env("SEPTET_HTTP_KEY", Vault::reference())
            .env("KeyVault__refresh", "1s")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let serving = Self {
            child: command.spawn().unwrap(),
            client: Client(address),
        };
        Serving::until("it listens", || {
            std::net::TcpStream::connect(address).is_ok()
        });
        serving
    }

    #[track_caller]
    fn until(what: &str, ready: impl Fn() -> bool) {
        let begun = Instant::now();
        while !ready() {
            assert!(begun.elapsed() < LONGEST, "{what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn status(&self, key: &str) -> u16 {
        let headers = [("x-functions-key", key)];
        self.client.send("GET", "/api/queues", &headers, b"").status
    }

    /// Ends it; gives all that it said.
    fn end(mut self) -> String {
        self.child.kill().unwrap();
        let mut said = String::new();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        self.child.wait().unwrap();
        said
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_servers_key_changes_without_a_restart() {
    let Some(vault) = Vault::new("the-first-key-of-septet") else {
        return;
    };
    let place = Workplace::new();
    let serving = Serving::start(&place, &vault);
    assert_eq!(serving.status("the-first-key-of-septet"), 200);
    assert_eq!(serving.status("the-second-key-of-septet"), 401);
    // The reference itself is no key.
    assert_eq!(serving.status(&Vault::reference()), 401);
    vault.rotate("the-second-key-of-septet");
    let second = || serving.status("the-second-key-of-septet") == 200;
    Serving::until("the new key is good", second);
    // And then, after a while in which both are, the old one is not.
    let first = || serving.status("the-first-key-of-septet") == 401;
    Serving::until("the old key is good no more", first);
    // An outage changes nothing.
    vault.set(Way::Status(503, Some(1)));
    let asked = vault.fake.asked().len();
    Serving::until("it is asked", || vault.fake.asked().len() > asked + 1);
    assert!(second());
    // What is deleted counts no more, and comes back with its vault.
    vault.set(Way::Status(404, None));
    Serving::until("nobody is let in", || !second());
    vault.set(Way::Well);
    Serving::until("the key is good again", second);
    let said = serving.end();
    for secret in ["key-of-septet", "eyJ", "topsecret"] {
        assert!(!said.contains(secret), "{said}");
    }
    assert!(said.contains("nobody is let in"), "{said}");
}

/// Workload identity: a token file, exchanged at the directory.
#[test]
fn a_workloads_token_is_exchanged() {
    let Some(vault) = Vault::new(KEY) else { return };
    let place = Workplace::new();
    let run = |file: &str, hidden: &[&str]| -> Ran {
        let mut command = place.command(&["work", "--until-empty", "--stages", "deploy"]);
        vault.host(&mut command);
        command
            .env_remove("IDENTITY_ENDPOINT")
            .env_remove("IDENTITY_HEADER")
            .env("SEPTET_STORE_KEY", Vault::reference())
            .env("KeyVault__credential", "workloadidentity")
            .env("AZURE_FEDERATED_TOKEN_FILE", place.path(file))
            .env("AZURE_CLIENT_ID", CLIENT)
            .env("AZURE_TENANT_ID", CLIENT);
        for name in hidden {
            command.env_remove(name);
        }
        command.output().unwrap().into()
    };
    place.write("token", ASSERTION);
    run("token", &[]).ok();
    place.write("another", "topsecret");
    let line = refused(run("another", &[]));
    assert!(line.contains("AADSTS700211"), "{line}");
    place.write("empty", "");
    for (file, hidden, told) in [
        ("missing", None, "missing can't be read"),
        ("empty", None, "has 0 bytes"),
        (".", None, "is no file"),
        (
            "token",
            Some("AZURE_FEDERATED_TOKEN_FILE"),
            "AZURE_FEDERATED_TOKEN_FILE is set where",
        ),
        ("token", Some("AZURE_CLIENT_ID"), "AZURE_CLIENT_ID has to"),
        ("token", Some("AZURE_TENANT_ID"), "AZURE_TENANT_ID has to"),
    ] {
        let line = refused(run(file, hidden.as_slice()));
        assert!(line.contains(told), "{line}");
    }
}

/// The Azure CLI: a command that prints a token.
#[test]
fn the_command_line_gives_a_token() {
    use std::os::unix::fs::PermissionsExt as _;

    let Some(vault) = Vault::new(KEY) else { return };
    let place = Workplace::new();
    let run = |script: Option<&str>| -> Ran {
        let tools = tempfile::TempDir::new().unwrap();
        if let Some(script) = script {
            let az = tools.path().join("az");
            std::fs::write(&az, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        let mut command = place.command(&["work", "--until-empty", "--stages", "deploy"]);
        vault.host(&mut command);
        command
            .env_remove("IDENTITY_ENDPOINT")
            .env_remove("IDENTITY_HEADER")
            .env("SEPTET_STORE_KEY", Vault::reference())
            .env("PATH", tools.path());
        command.output().unwrap().into()
    };
    let expires = now() + 3600;
    let token = token("https://vault.azure.net", expires);
    let good = format!(
        "echo '{{\"accessToken\": \"{token}\", \"expires_on\": {expires}, \"tokenType\": \"Bearer\"}}'"
    );
    run(Some(&good)).ok();
    for (script, told) in [
        (None, "is not installed"),
        (
            Some("echo \"Please run 'az login' to setup account.\" >&2; exit 1"),
            "run `az login`",
        ),
        (Some("echo topsecret >&2; exit 3"), "get-access-token"),
        (Some("echo topsecret"), "no token"),
    ] {
        let line = refused(run(script));
        assert!(line.contains(told), "{line}");
    }
}
