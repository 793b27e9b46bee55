//! Hostile messages in every queue of a server at work.

use std::{fs, time::Duration};

use septet::{
    contract::{Digest, Stage},
    pipeline::Pipeline,
    store::{Local, MAX_BODY, Message, Mode},
};
use serde_json::json;

use super::server::{Server, Site, undisturbed, until};

/// A message of ours in form, which asks for this.
fn event(data: &serde_json::Value) -> Vec<u8> {
    let event = json!({
        "specversion": "1.0", "id": "x", "source": "septet", "type": "septet.invocation",
        "time": "2026-01-01T00:00:00Z", "datacontenttype": "application/json", "data": data,
    });
    event.to_string().into_bytes()
}

fn hostile(stage: Stage, run: &str) -> Vec<Vec<u8>> {
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    let ask = |run: &str, stage: &str, unit: u64| {
        event(&json!({ "run": run, "stage": stage, "unit": unit, "attempt": 1 }))
    };
    let other = if stage == Stage::Train {
        "deploy"
    } else {
        "train"
    };
    vec![
        b"\0\xff rubbish".to_vec(),
        b"{}".to_vec(),
        vec![b'['; MAX_BODY],
        format!("{{\"data\":\"{}\"}}", "x".repeat(40_000)).into_bytes(),
        ask(nobody, stage.name(), 0),
        ask("../../etc/passwd", stage.name(), 0),
        ask(run, other, 0),
        ask(run, stage.name(), 4_000_000_000),
        ask(run, stage.name(), u64::MAX),
    ]
}

/// Processor time so far, in hundredths of a second.
fn ticks(server: &Server) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.id())).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = rest.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn hostile_messages_in_every_queue_harm_nobody() {
    let site = Site::new();
    let run = site.queue(1, &[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let local = runtime.block_on(Local::open(&site.store(), Mode::Existing));
    let store = local.unwrap().store();
    for stage in Stage::ALL {
        for (number, body) in hostile(stage, &run).into_iter().enumerate() {
            let message = Message::new(format!("hostile-{number}"), body);
            let sent = store.queues.send(stage.name(), &message, Duration::ZERO);
            runtime.block_on(sent).unwrap();
        }
    }
    let server = site.serve(&[]);
    let seen = site.done(&run);
    assert_eq!(seen.outputs(), *undisturbed(1));
    assert_eq!(seen.attempts(), 1);
    let each = hostile(Stage::Train, &run).len() as u64;
    until("all are set aside", || {
        let queues = site.queues();
        let all = Stage::ALL
            .iter()
            .all(|stage| queues.get(&format!("{stage}-poison")) == Some(&each));
        let none = queues
            .keys()
            .all(|q| q.ends_with("-poison") || q == "alerts");
        (all && none).then_some(()).ok_or(format!("{queues:?}"))
    });
    let pipeline = Pipeline::new(store.clone());
    for stage in Stage::ALL {
        let poisoned = runtime.block_on(pipeline.poisoned(stage, 99)).unwrap();
        for body in hostile(stage, &run) {
            let id = Digest::of(&body).to_string();
            let (_, message) = poisoned.iter().find(|(there, _)| *there == id).unwrap();
            assert!(message.invocation.is_none() && !message.reason.is_empty());
            assert_eq!(message.body[..], body[..body.len().min(1024)]);
            let Some(claim) = message.claim else {
                assert!(body.len() <= 1024);
                continue;
            };
            let kept = store.blobs.get(&claim.digest, claim.size);
            assert_eq!(runtime.block_on(kept).unwrap(), body);
        }
    }
    let told = server.lines(&["a message went to the poison queue: "]);
    assert_eq!(told.len() as u64, each * Stage::ALL.len() as u64);
    // What nobody can do is not tried again and again.
    let before = ticks(&server);
    std::thread::sleep(Duration::from_secs(1));
    assert!(ticks(&server) - before < 30);
    server.stop();
}
