//! Registries that lie, stall, send too much, or send us elsewhere. After each there is no file.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use septet::contract::Digest;
use serde_json::{Value, json};

use super::journey::{command, septet};
use crate::support::{
    fake::{Answer, Asked, Fake},
    septet::{Ran, Workplace},
};

/// What is a component to these registries: whether it is one, no pull asks.
const LAYER: &str = "the component";

/// A manifest whose layer has so many bytes, by its own account.
fn manifest(layer: &str, size: u64) -> Value {
    json!({
        "schemaVersion": 2,
        "config": { "mediaType": "application/vnd.wasm.config.v0+json", "size": 2,
                    "digest": format!("sha256:{}", Digest::of(b"{}")) },
        "layers": [{ "mediaType": "application/wasm", "size": size,
                     "digest": format!("sha256:{}", Digest::of(layer.as_bytes())) }],
    })
}

fn good() -> Value {
    manifest(LAYER, LAYER.len() as u64)
}

fn text(body: impl Into<String>) -> Answer {
    Answer::Reply(200, Vec::new(), body.into())
}

/// A registry with one manifest, and whatever for a layer.
fn registry(manifest: &Value, layer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Fake {
    let manifest = manifest.to_string();
    Fake::plain(move |asked| {
        if asked.path.contains("/manifests/") {
            text(manifest.clone())
        } else {
            layer(asked)
        }
    })
}

/// Pulls from it: the line of its refusal, after which nothing is left.
fn refused(fake: &Fake, more: &[&str]) -> String {
    let place = Workplace::new();
    let address = format!("oci://{}/a:1", fake.address);
    let pull = ["stages", "pull", &address, "--out", "out.wasm"];
    let line = septet(&place, &[&pull, more].concat()).refused();
    let left = std::fs::read_dir(place.path("")).unwrap().count();
    assert_eq!(left, 0, "{line}");
    line
}

#[test]
fn what_a_registry_sends_is_bounded_and_held_against_its_digest() {
    let layer = |body: &'static str| move |_: &Asked| text(body);
    // The fakes are good enough that what is sent right is taken.
    let fake = registry(&good(), layer(LAYER));
    let place = Workplace::new();
    let address = format!("oci://{}/a:1", fake.address);
    septet(&place, &["stages", "pull", &address]).ok();

    let line = refused(&registry(&good(), layer("the Component")), &[]);
    assert!(line.contains("its manifest names"), "{line}");
    let line = refused(&registry(&good(), layer("the compo")), &[]);
    assert!(line.contains("cut short"), "{line}");
    let line = refused(&registry(&good(), layer("the component and more")), &[]);
    assert!(line.contains("more than 13 bytes"), "{line}");
    // Too large is known before a byte of it is asked for.
    let fake = registry(&manifest(LAYER, u64::MAX), layer(LAYER));
    let line = refused(&fake, &[]);
    assert!(line.contains("component_bytes"), "{line}");
    assert!(
        fake.asked()
            .iter()
            .all(|asked| !asked.path.contains("/blobs/"))
    );

    let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(300 << 10));
    let fake = Fake::plain(move |_| text(huge.clone()));
    let line = refused(&fake, &[]);
    assert!(
        line.contains("the manifest") && line.contains("more than"),
        "{line}"
    );
    for body in ["", "{}", "<html>", "{\"manifests\":[]}"] {
        let line = refused(&Fake::plain(move |_| text(body)), &[]);
        assert!(line.contains("no Wasm artifact"), "{line}");
    }
    let lying = (
        "docker-content-digest",
        format!("sha256:{}", "a".repeat(64)),
    );
    let fake = Fake::plain(move |_| Answer::Reply(200, vec![lying.clone()], good().to_string()));
    let line = refused(&fake, &[]);
    assert!(line.contains("calls the manifest"), "{line}");
    let words = json!({ "errors": [{ "code": "X", "message": "a\u{1b}[2J".repeat(999) }] });
    let fake = Fake::plain(move |_| Answer::json(500, &words));
    let line = refused(&fake, &[]);
    assert!(line.contains("answers 500") && line.len() < 600, "{line}");
}

#[test]
fn a_registry_that_stalls_or_is_not_there_is_left_in_time() {
    let begun = Instant::now();
    for fake in [
        Fake::plain(|_| Answer::Hang),
        Fake::plain(|_| Answer::Slow(good().to_string())),
        registry(&good(), |_| Answer::Slow(LAYER.to_owned())),
    ] {
        let line = refused(&fake, &["--timeout", "1"]);
        assert!(line.contains("not done within 1s"), "{line}");
    }
    assert!(begun.elapsed() < Duration::from_mins(1));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("oci://{}/a:1", closed.local_addr().unwrap());
    drop(closed);
    let place = Workplace::new();
    let line = septet(&place, &["stages", "pull", &address]).refused();
    assert!(
        line.contains("can't be reached") && line.contains("refused"),
        "{line}"
    );
}

#[test]
fn another_host_is_given_no_password_and_asked_for_nothing_in_the_clear() {
    let asked_in = |fake: &Fake, more: &[&str]| -> String {
        let place = Workplace::new();
        let address = format!("oci://{}/a:1", fake.address);
        let pull = ["stages", "pull", &address, "--out", "out.wasm"];
        let mut command = command(&place, &[&pull, more].concat());
        command
            .env("SEPTET_REGISTRY_USER", "ali")
            .env("SEPTET_REGISTRY_PASSWORD", "geheim");
        let ran = Ran::from(command.output().unwrap());
        if ran.code == Some(0) {
            return String::new();
        }
        let line = ran.refused();
        assert!(
            !line.contains("geheim") && !place.path("out.wasm").exists(),
            "{line}"
        );
        line
    };
    let locked = |other: String| {
        Fake::plain(move |asked| match asked.header("authorization") {
            None => {
                let challenge = ("www-authenticate", "Basic realm=\"a\"".to_owned());
                Answer::Reply(401, vec![challenge], String::new())
            }
            Some(_) if asked.path.contains("/manifests/") => text(good().to_string()),
            Some(_) => Answer::Reply(307, vec![("location", other.clone())], String::new()),
        })
    };
    // The same machine, another port: followed, because the digest is what counts, and without a word.
    let other = Fake::plain(|_| text(LAYER));
    let fake = locked(format!("{}/bytes?signed=1", other.url()));
    assert_eq!(asked_in(&fake, &[]), "");
    let asked = other.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].header("authorization").is_none());
    // Another machine, in the clear.
    let line = asked_in(&locked("http://192.0.2.1/bytes".to_owned()), &[]);
    assert!(line.contains("without TLS"), "{line}");
    for place in ["file:///etc/passwd", "", "//", "/again"] {
        let line = asked_in(&locked(place.to_owned()), &[]);
        assert!(!line.is_empty(), "{place}");
    }
    // Tokens from elsewhere.
    let realm = "Bearer realm=\"http://192.0.2.1/token\"".to_owned();
    let challenge = move |_: &Asked| {
        Answer::Reply(
            401,
            vec![("www-authenticate", realm.clone())],
            String::new(),
        )
    };
    let line = asked_in(&Fake::plain(challenge), &[]);
    assert!(line.contains("nothing was sent there"), "{line}");
    let huge = Fake::plain(|asked| {
        if asked.path.starts_with("/token") {
            return text("x".repeat(100 << 10));
        }
        let host = &asked.host;
        let realm = format!("Bearer realm=\"http://{host}/token\",service=\"s\"");
        Answer::Reply(401, vec![("www-authenticate", realm)], String::new())
    });
    let line = asked_in(&huge, &[]);
    assert!(line.contains("the token"), "{line}");
}

#[test]
fn a_token_is_asked_for_this_repository_and_an_upload_goes_nowhere_else() {
    let fake = Fake::plain(|asked| {
        if asked.path.starts_with("/token") {
            return Answer::json(200, &json!({ "token": "ticket" }));
        }
        match asked.header("authorization") {
            Some("Bearer ticket") if asked.method == "POST" => {
                let place = ("location", "http://192.0.2.1/upload".to_owned());
                Answer::Reply(202, vec![place], String::new())
            }
            Some("Bearer ticket") => Answer::Reply(404, Vec::new(), String::new()),
            _ => {
                let host = &asked.host;
                let realm = format!("Bearer realm=\"http://{host}/token\",service=\"s\"");
                Answer::Reply(401, vec![("www-authenticate", realm)], String::new())
            }
        }
    });
    let place = Workplace::new();
    let address = format!("oci://{}/a/b:1", fake.address);
    let line = septet(&place, &["stages", "push", "train", &address]).refused();
    assert!(line.contains("wants the upload at"), "{line}");
    let asked = fake.asked();
    let token = asked
        .iter()
        .find(|asked| asked.path.starts_with("/token"))
        .unwrap();
    assert!(
        token
            .path
            .contains("scope=repository%3Aa%2Fb%3Apull%2Cpush"),
        "{}",
        token.path
    );
    assert!(token.path.contains("service=s"), "{}", token.path);
}
