//! Push and pull against a real registry.

use std::{fs, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use septet::contract::{Digest, Stage};

use super::registry::{PASSWORD, Registry, USER};
use crate::{
    support::septet::{Ran, Workplace},
    swap::{
        components::{builtin, same},
        minisign::Signer,
    },
};

/// The binary here, with no login of the person who runs the tests.
pub(super) fn command(place: &Workplace, arguments: &[&str]) -> Command {
    let mut command = place.command(arguments);
    command
        .env_remove("SEPTET_REGISTRY_USER")
        .env_remove("SEPTET_REGISTRY_PASSWORD")
        .env("DOCKER_CONFIG", place.path("docker"));
    command
}

pub(super) fn septet(place: &Workplace, arguments: &[&str]) -> Ran {
    command(place, arguments).output().unwrap().into()
}

#[test]
fn a_component_goes_to_a_registry_and_comes_back_the_same() {
    let Some(registry) = Registry::open() else {
        return;
    };
    let place = Workplace::new();
    let tagged = registry.at("septet/train:1.0.0");
    let push = ["stages", "push", "train", &tagged, "--json"];
    let pushed = septet(&place, &push).json();
    let digest = Digest::of(builtin(Stage::Train));
    assert_eq!(pushed["component"], digest.to_string());
    let pinned = pushed["address"].as_str().unwrap();
    let manifest = pushed["manifest"].as_str().unwrap();
    assert_eq!(
        pinned,
        registry.at(&format!("septet/train@sha256:{manifest}"))
    );
    // The same component is the same artifact, whenever it is pushed.
    assert_eq!(septet(&place, &push).json(), pushed);

    let both = format!("{tagged}@sha256:{manifest}");
    for address in [tagged.as_str(), pinned, &both] {
        let out = place.path("out.wasm");
        let pull = ["stages", "pull", address, "--out", "out.wasm", "--json"];
        let pulled = septet(&place, &pull).json();
        assert_eq!(pulled["address"], pinned);
        assert_eq!(pulled["stage"], "train");
        assert_eq!(fs::read(&out).unwrap(), builtin(Stage::Train));
        assert!(!place.path("out.wasm.minisig").exists());
        // What is there is not written over.
        let line = septet(&place, &pull[..5]).refused();
        assert!(line.contains("is there already"), "{line}");
        fs::remove_file(out).unwrap();
    }
    let told = septet(&place, &["stages", "pull", &tagged]).ok().stdout;
    assert!(
        told.contains(pinned) && told.contains(&digest.to_string()),
        "{told}"
    );
    assert_eq!(
        fs::read(place.path("train.wasm")).unwrap(),
        builtin(Stage::Train)
    );

    // Another component under the tag: who demands the first is told, and who pinned it has it.
    let other = place.write("other.wasm", same(Stage::Train, "two"));
    let other = other.to_str().unwrap();
    let moved = ["stages", "push", "train", &tagged, "--component", other];
    septet(&place, &moved).ok();
    let line = septet(&place, &["stages", "pull", &both, "--out", "a.wasm"]).refused();
    assert!(line.contains("was demanded"), "{line}");
    assert!(!place.path("a.wasm").exists());
    septet(&place, &["stages", "pull", pinned, "--out", "a.wasm"]).ok();

    for (address, sign) in [
        (
            registry.at("septet/train:none"),
            "does not have this component",
        ),
        (registry.at("none:1"), "does not have this component"),
        (registry.at("septet/train"), "name a tag or a digest"),
        ("train.wasm".to_owned(), "no component's address"),
    ] {
        let line = septet(&place, &["stages", "pull", &address, "--out", "b.wasm"]).refused();
        assert!(line.contains(sign), "{line}");
        assert!(!place.path("b.wasm").exists());
    }
    let line = septet(
        &place,
        &["stages", "push", "infer", &tagged, "--component", other],
    );
    assert!(line.refused().contains("does not fit"));
    let line = septet(&place, &["stages", "push", "train", &both]).refused();
    assert!(line.contains("leave @sha256"), "{line}");

    // Bytes that went bad in the registry are never taken.
    let blob = registry.data().join(format!(
        "docker/registry/v2/blobs/sha256/{}/{digest}/data",
        &digest.to_string()[..2]
    ));
    let mut bytes = fs::read(&blob).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&blob, bytes).unwrap();
    let line = septet(&place, &["stages", "pull", pinned, "--out", "b.wasm"]).refused();
    assert!(line.contains("its manifest names"), "{line}");
    assert!(!place.path("b.wasm").exists());
}

#[test]
fn a_pulled_component_is_swapped_in_by_the_same_steps() {
    let (Some(registry), Some(signer)) = (Registry::open(), Signer::new()) else {
        return;
    };
    let place = Workplace::new();
    let file = place.write("train.wasm", same(Stage::Train, "signed"));
    let text = signer.sign(&file, false, "release 7");
    let address = registry.at("train:signed");
    let file = file.to_str().unwrap();
    let push = ["stages", "push", "train", &address, "--component", file];
    let pushed = septet(&place, &push).ok().stdout;
    assert!(pushed.contains("signed "), "{pushed}");
    let bare = registry.at("train:bare");
    septet(&place, &["stages", "push", "train", &bare]).ok();

    let key = signer.key();
    let trust = format!("[trust]\nkeys = [\"{key}\"]\nrequire-signature = true\n");
    place.write("septet.toml", trust);
    septet(&place, &["stages", "pull", &address, "--out", "a.wasm"]).ok();
    assert_eq!(
        fs::read_to_string(place.path("a.wasm.minisig")).unwrap(),
        text
    );
    let line = septet(&place, &["stages", "pull", &bare, "--out", "b.wasm"]).refused();
    assert!(line.contains("not signed"), "{line}");
    assert!(!place.path("b.wasm").exists());

    let line = septet(&place, &["stages", "pull", &bare, "--swap", "train"]).refused();
    assert!(line.contains("signature"), "{line}");
    let line = septet(&place, &["stages", "pull", &address, "--swap", "infer"]).refused();
    assert!(line.contains("refused at step world"), "{line}");
    let swapped = ["stages", "pull", &address, "--swap", "train", "--json"];
    let swapped = septet(&place, &swapped).json();
    let digest = Digest::of(&same(Stage::Train, "signed")).to_string();
    assert_eq!(swapped["component"], digest);
    assert_eq!(swapped["signed"]["comment"], "release 7");
    assert_eq!(swapped["pulled"]["component"], digest);
    let listed = septet(&place, &["stages"]).ok().stdout;
    assert!(listed.contains(&digest), "{listed}");
}

#[test]
fn a_registry_with_a_login_is_told_it_and_no_line_has_it() {
    let Some(registry) = Registry::locked() else {
        return;
    };
    let place = Workplace::new();
    let address = registry.at("train:1");
    let push = ["stages", "push", "train", &address, "-vv"];
    let line = septet(&place, &push[..4]).refused();
    assert!(line.contains("SEPTET_REGISTRY_USER"), "{line}");
    let mut wrong = command(&place, &push[..4]);
    wrong
        .env("SEPTET_REGISTRY_USER", USER)
        .env("SEPTET_REGISTRY_PASSWORD", "geheim");
    let line = Ran::from(wrong.output().unwrap()).refused();
    assert!(
        line.contains("wants a user") && !line.contains("geheim"),
        "{line}"
    );
    let mut half = command(&place, &push[..4]);
    half.env("SEPTET_REGISTRY_USER", USER);
    let line = Ran::from(half.output().unwrap()).refused();
    assert!(line.contains("both or neither"), "{line}");

    let encoded = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let mut right = command(&place, &push);
    right
        .env("SEPTET_REGISTRY_USER", USER)
        .env("SEPTET_REGISTRY_PASSWORD", PASSWORD);
    let ran = Ran::from(right.output().unwrap()).ok();
    for told in [&ran.stdout, &ran.stderr] {
        assert!(
            !told.contains(PASSWORD) && !told.contains(&encoded),
            "{told}"
        );
    }
    // As `docker login` leaves it.
    fs::create_dir(place.path("docker")).unwrap();
    let auths = format!(
        r#"{{"auths":{{"{}":{{"auth":"{encoded}"}}}}}}"#,
        registry.address
    );
    place.write("docker/config.json", auths);
    septet(&place, &["stages", "pull", &address, "--out", "a.wasm"]).ok();
    place.write("docker/config.json", "{geheim");
    let line = septet(&place, &["stages", "pull", &address, "--out", "b.wasm"]).refused();
    assert!(
        line.contains("config.json") && !line.contains("geheim"),
        "{line}"
    );
}
