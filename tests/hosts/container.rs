//! examples/docker: what the Dockerfile says is checked, and its last stage is run as a container
//! engine would, by plain tools of Linux: there is no engine where the tests run.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    call::fresh,
    oracles::{installed, target, venv, workspace},
};

/// A line of a Dockerfile, put together where it goes on.
#[derive(Clone, Debug)]
struct Instruction {
    word: String,
    rest: String,
}

fn folder() -> PathBuf {
    workspace().join("examples/docker")
}

fn instructions() -> Vec<Instruction> {
    let text = fs::read_to_string(folder().join("Dockerfile")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let whole = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let lines = whole.lines().filter(|line| !line.trim().is_empty());
    let instructions = lines.map(|line| {
        let (word, rest) = line.trim().split_once(' ').unwrap();
        Instruction {
            word: word.to_owned(),
            rest: rest.split_whitespace().collect::<Vec<_>>().join(" "),
        }
    });
    instructions.collect()
}

/// The instructions after the last FROM.
fn last_stage() -> Vec<Instruction> {
    let all = instructions();
    let from = all.iter().rposition(|one| one.word == "FROM").unwrap();
    all[from + 1..].to_vec()
}

/// The only instruction of this kind.
#[track_caller]
fn only(stage: &[Instruction], word: &str) -> String {
    let mut found = stage.iter().filter(|one| one.word == word);
    let rest = found.next().unwrap_or_else(|| panic!("no {word}"));
    assert!(found.next().is_none(), "{word} twice");
    rest.rest.clone()
}

/// A command in the form that no shell takes apart.
#[track_caller]
fn words(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

#[test]
fn the_image_is_least_privileged_and_made_of_what_is_there() {
    let all = instructions();
    let mut named = Vec::new();
    for one in &all {
        let rest: Vec<&str> = one.rest.split(' ').collect();
        match one.word.as_str() {
            "FROM" => {
                let (_, tag) = rest[0]
                    .split_once(':')
                    .expect("a version of the base image");
                assert_ne!(tag, "latest");
                named.extend(rest.get(2).map(|name| (*name).to_owned()));
            }
            "COPY" => match rest[0].strip_prefix("--from=") {
                Some(stage) => assert!(named.iter().any(|name| name == stage), "{stage}"),
                None => assert!(workspace().join(rest[0]).exists(), "{}", rest[0]),
            },
            "ADD" | "ARG" | "SHELL" | "ONBUILD" => panic!("{} is not needed", one.word),
            _ => {}
        }
    }
    let stage = last_stage();
    let user = only(&stage, "USER");
    let numbers = user.split(':').map(|number| number.parse::<u32>().unwrap());
    assert!(numbers.count() == 2 && !user.starts_with("0:"), "{user}");
    assert_eq!(words(&only(&stage, "VOLUME")), ["/var/lib/septet"]);
    assert!(
        !only(&stage, "ENV").contains("KEY"),
        "a key is no part of an image"
    );
    assert!(words(&only(&stage, "CMD"))[0] == "serve");
    // What is built from is within what is sent to the engine.
    let sent = fs::read_to_string(folder().join("Dockerfile.dockerignore")).unwrap();
    assert_eq!(sent.lines().find(|line| !line.starts_with('#')), Some("*"));
    for line in sent.lines().filter_map(|line| line.strip_prefix('!')) {
        assert!(workspace().join(line).exists(), "{line}");
    }
}

#[test]
fn hadolint_finds_nothing() {
    let source = "hosts/docker";
    let Some(tools) = installed("hadolint", source, &["requirements.txt"], venv) else {
        return;
    };
    let lint = |file: &Path| {
        let output = Command::new(tools.join("bin/hadolint")).arg(file).output();
        let output = output.unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (clean, told) = lint(&folder().join("Dockerfile"));
    assert!(clean, "{told}");
    let bad = fresh().keep().join("Dockerfile");
    fs::write(&bad, "FROM debian\nRUN cd /tmp\n").unwrap();
    assert!(!lint(&bad).0, "it finds nothing anywhere");
    fs::remove_dir_all(bad.parent().unwrap()).unwrap();
}

/// Whether this process may do what a container engine does.
fn may_mount() -> bool {
    Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--mount-proc"])
        .args(["setpriv", "--reuid", "10001", "--clear-groups", "true"])
        .output()
        .is_ok_and(|output| output.status.success())
}

#[test]
fn the_last_stage_serves_on_a_root_that_nobody_can_write() {
    if !may_mount() {
        let mut stderr = std::io::stderr().lock();
        writeln!(
            stderr,
            "SKIPPED: the container's commands, which need root and mount namespaces"
        )
        .unwrap();
        return;
    }
    let place = fresh();
    let path = |name: &str| place.path().join(name);
    for name in ["root", "volume", "plan"] {
        fs::create_dir(path(name)).unwrap();
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let put = |name: &str, text: &str| fs::write(path("plan").join(name), text).unwrap();

    let stage = last_stage();
    put("run", &only(&stage, "RUN"));
    put("user", &only(&stage, "USER"));
    put("workdir", &only(&stage, "WORKDIR"));
    put("volume", &words(&only(&stage, "VOLUME"))[0]);
    put("env", &only(&stage, "ENV").replace(' ', "\n"));
    let command = [
        words(&only(&stage, "ENTRYPOINT")),
        words(&only(&stage, "CMD")),
    ]
    .concat();
    put("command", &command.join("\n"));
    let health = only(&stage, "HEALTHCHECK");
    let (_, health) = health.split_once("CMD ").unwrap();
    // Only the port and the address are not those of the image: the machine has others, too.
    put("health", &words(health).join("\n").replace("7071", &port));
    let settings = fs::read_to_string(folder().join("septet.toml")).unwrap();
    let settings = settings.replace("0.0.0.0:7071", &format!("127.0.0.1:{port}"));
    put("septet.toml", &settings);
    put("certificates", "");
    let copies = stage.iter().filter(|one| one.word == "COPY").map(|one| {
        let words: Vec<&str> = one.rest.split(' ').collect();
        let [from, to] = words[words.len() - 2..] else {
            panic!("{one:?}")
        };
        let from = match from {
            "/out/septet" => env!("CARGO_BIN_EXE_septet").into(),
            "/etc/ssl/certs/ca-certificates.crt" => path("plan/certificates"),
            "examples/docker/septet.toml" => path("plan/septet.toml"),
            other => panic!("{other} is copied: say here what it is"),
        };
        format!("{}\t{to}\n", from.display())
    });
    put("copy", &copies.collect::<String>());

    let mut run = Command::new("timeout");
    run.args([
        "--kill-after=5",
        "240",
        "unshare",
        "--mount",
        "--pid",
        "--fork",
    ]);
    run.args(["--kill-child", "bash"])
        .arg(workspace().join("tests/hosts/container.sh"))
        .args([path("root"), path("volume"), path("plan")])
        .arg(workspace().join("host/demo/penguins.csv"))
        .arg(target().join("tmp/cache"));
    let output = run.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{told}");
    let held: Vec<&str> = said.lines().collect();
    assert_eq!(
        held,
        [
            "user 10001",
            "the root is read-only",
            "no capabilities",
            "healthy",
            "a model is trained",
            "ended by SIGTERM",
        ],
        "{told}"
    );
}
