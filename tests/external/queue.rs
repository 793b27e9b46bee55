//! An external stage behind a queue of the store: what comes back is anybody's.

use std::{
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::septet::{Ran, Workplace, demo};

struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn begin(here: &Workplace) -> Run {
    let data = demo("penguins.csv");
    let arguments = ["run", data.to_str().unwrap(), "--target", "sex", "--json"];
    let mut command = here.command(&arguments);
    Run(command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap())
}

fn end(mut run: Run) -> Ran {
    let mut ended = std::process::Output {
        status: run.0.wait().unwrap(),
        stdout: vec![],
        stderr: vec![],
    };
    std::io::Read::read_to_end(run.0.stdout.as_mut().unwrap(), &mut ended.stdout).unwrap();
    std::io::Read::read_to_end(run.0.stderr.as_mut().unwrap(), &mut ended.stderr).unwrap();
    ended.into()
}

/// The next event of a queue, as a reader takes it.
fn fetch(here: &Workplace, queue: &str) -> Value {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let fetched = here.septet(&["queues", "fetch", queue]);
        if fetched.code == Some(0) && !fetched.stdout.trim().is_empty() {
            return serde_json::from_str(&fetched.stdout).unwrap();
        }
        assert!(
            Instant::now() < until,
            "nothing came to {queue}: {fetched:?}"
        );
        thread::sleep(Duration::from_millis(100));
    }
}

fn post(here: &Workplace, queue: &str, text: &str) {
    let file = here.write("event.json", text);
    here.septet(&["queues", "post", queue, file.to_str().unwrap()])
        .ok();
}

fn answer(event: &Value, outcome: &Value) -> String {
    json!({
        "specversion": "1.0", "id": "x", "source": "theirs", "type": "outcome",
        "data": { "reply": event["data"]["reply"], "outcome": outcome },
    })
    .to_string()
}

fn propose(event: &Value) -> Value {
    let call = &event["data"];
    let inputs = call["inputs"].as_array().unwrap();
    let bundle = inputs
        .iter()
        .find(|input| input["name"] == "bundle")
        .unwrap();
    let pinned = &call["aliases"][0];
    json!({ "proposals": [{
        "model": pinned["model"], "bundle": bundle["digest"], "summary": {},
        "change": { "alias": pinned["alias"], "expected": null, "reason": "x" },
    }] })
}

#[test]
fn whoever_reads_the_queue_does_the_work_and_forgeries_are_set_apart() {
    let here = Workplace::new();
    here.write(
        "septet.toml",
        "[deploy]\nexternal = { queue = \"deploy-python\", version = \"1\" }\n",
    );
    let run = begin(&here);
    let event = fetch(&here, "deploy-python");
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["data"]["stage"], "deploy");
    let mut forged = event.clone();
    forged["data"]["reply"]["token"] = json!("0".repeat(64));
    let good = propose(&event);
    for text in [
        answer(&forged, &good),
        "rubbish".to_owned(),
        json!({"specversion": "1.0", "data": 5}).to_string(),
        answer(
            &json!({"data": {"reply": {"id": "../../x", "token": ""}}}),
            &good,
        ),
    ] {
        post(&here, "deploy-outcomes", &text);
    }
    post(&here, "deploy-outcomes", &answer(&event, &good));
    // A second answer to the same call is for nobody.
    post(
        &here,
        "deploy-outcomes",
        &answer(&event, &json!({"failed": "late"})),
    );
    let report = end(run).json();
    assert_eq!(report["deployed"]["alias"], "champion", "{report}");
    let queues = here.septet(&["queues"]).ok().stdout;
    assert!(queues.contains("deploy-outcomes-poison"), "{queues}");
    let apart = fetch(&here, "deploy-outcomes-poison");
    assert!(
        apart["reason"].is_string() && apart["message"].is_string(),
        "{apart}"
    );
    here.septet(&["store", "verify"]).ok();
}

#[test]
fn what_it_says_decides_and_what_never_comes_ends_with_the_wall_clock() {
    let here = Workplace::new();
    let settings =
        "[deploy]\nexternal = { queue = \"deploy-python\" }\n[limits]\nwall_seconds = 2\n";
    here.write("septet.toml", settings);
    let run = begin(&here);
    let event = fetch(&here, "deploy-python");
    post(
        &here,
        "deploy-outcomes",
        &answer(&event, &json!({"rejected": "no gold"})),
    );
    let ended = end(run);
    assert_ne!(ended.code, Some(0));
    assert!(ended.stderr.contains("no gold"), "{}", ended.stderr);
    let ended = end(begin(&here));
    assert_ne!(ended.code, Some(0));
    assert!(
        ended.stderr.contains("no outcome came to deploy-outcomes"),
        "{}",
        ended.stderr
    );
    for (queue, why) in [
        ("train", "one of Septet's own"),
        ("a-outcomes", "one of Septet's own"),
        ("A_b", "cannot be the name of a queue"),
    ] {
        here.write(
            "septet.toml",
            format!("[deploy]\nexternal = {{ queue = \"{queue}\" }}\n"),
        );
        let refused = end(begin(&here)).refused();
        assert!(refused.contains(why), "{refused}");
    }
}
