//! Components are swapped under load, and no request fails: each answer is wholly of one of them.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use septet::contract::Stage;
use serde_json::Value;

use super::{
    server::{KEY, Server, answered, digest, penguins, place},
    variants::{builtin, marked, otherwise},
};
use crate::support::guests::guest;

/// How long the load lasts, and how many send it.
const LOAD: Duration = Duration::from_secs(6);
const CLIENTS: usize = 3;

/// Requests that are sent again and again.
const REQUESTS: usize = 8;

const INFER: &str = "/api/stages/infer";

#[test]
fn no_request_fails_while_components_are_swapped() {
    let place = place("");
    let server = Server::start(&place, Some(KEY));
    let good = marked(builtin(Stage::Infer), "good");
    let other = otherwise().to_vec();
    let requests: Vec<Value> = (0..REQUESTS).map(|n| penguins(1 + n % 2, n * 31)).collect();
    // What each component answers to each request.
    let mut expected: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut learn = || {
        let answers = requests
            .iter()
            .map(|request| answered(&server.predict(request, None)));
        let (by, answers): (Vec<String>, Vec<Value>) = answers.unzip();
        assert!(by.iter().all(|one| *one == by[0]));
        expected.insert(by[0].clone(), answers);
        by[0].clone()
    };
    assert_eq!(learn(), digest(builtin(Stage::Infer)));
    for component in [&good, &other] {
        let told = server.put(INFER, component).json(200);
        assert_eq!(told["component"], digest(component).as_str());
        // At once: who asks after the answer is answered by it.
        assert_eq!(learn(), digest(component));
    }
    let differs = expected[&digest(&good)] != expected[&digest(&other)];
    assert!(differs && expected[&digest(&good)] == expected[&digest(builtin(Stage::Infer))]);

    let offers: [(&[u8], u16, Option<&str>); 6] = [
        (&good, 200, None),
        (&good[..good.len() / 2], 422, Some("compile")),
        (&other, 200, None),
        (guest("train"), 422, Some("world")),
        (guest("infer"), 422, Some("golden")),
        (b"no component at all", 422, Some("compile")),
    ];
    let (swapping, sent) = (AtomicBool::new(true), AtomicUsize::new(0));
    let swaps = std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (server, requests, expected) = (&server, &requests, &expected);
            let (swapping, sent) = (&swapping, &sent);
            scope.spawn(move || {
                let mut at = client;
                while swapping.load(Ordering::Relaxed) {
                    at = (at + 1) % REQUESTS;
                    let (by, answer) = answered(&server.predict(&requests[at], None));
                    assert_eq!(answer, expected[&by][at], "by {by}");
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let (begun, mut swaps) = (Instant::now(), 0);
        while begun.elapsed() < LOAD {
            let (component, status, step) = offers[swaps % offers.len()];
            let told = server.put(INFER, component).json(status);
            assert_eq!(told["step"].as_str(), step, "{told}");
            swaps += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
        swapping.store(false, Ordering::Relaxed);
        swaps
    });
    let sent = sent.into_inner();
    assert!(
        sent > 50 && swaps >= offers.len(),
        "{sent} requests, {swaps} swaps"
    );

    // It is all on record, and survives a start.
    server.put(INFER, &good).json(200);
    let infer = server.infer();
    assert_eq!(infer["component"], digest(&good).as_str());
    let history = infer["history"].as_array().unwrap();
    let refused = history.iter().filter(|event| event["event"] == "refused");
    assert!(refused.clone().count() >= 3 && refused.count() < history.len());
    drop(server);
    let server = Server::start(&place, Some(KEY));
    let (by, _) = answered(&server.predict(&requests[0], None));
    assert_eq!(by, digest(&good));
    let back = server.send("POST", "/api/stages/infer/rollback?reason=a%20test", b"");
    assert_eq!(back.json(200)["component"], digest(&other).as_str());
    let (by, answer) = answered(&server.predict(&requests[0], None));
    assert_eq!(
        (by.as_str(), &answer),
        (digest(&other).as_str(), &expected[&by][0])
    );
    // Another process's swap is followed within a second.
    place
        .septet(&["stages", "rollback", "infer", "--reason", "a test"])
        .ok();
    let until = Instant::now() + Duration::from_secs(10);
    while answered(&server.predict(&requests[0], None)).0 != digest(&good) {
        assert!(Instant::now() < until, "another's swap is not followed");
    }
}

#[test]
fn to_change_a_stage_takes_the_key() {
    let place = place("");
    let component = marked(builtin(Stage::Infer), "unasked");
    let server = Server::start(&place, Some(KEY));
    let changes = [
        ("PUT", INFER),
        ("POST", "/api/stages/infer/rollback"),
        ("POST", "/api/stages/infer/promote"),
    ];
    let wrong = [("authorization", "Bearer 0123456789abcdef-kez")];
    for (method, path) in changes {
        for headers in [&[][..], &wrong] {
            let reply = server.client.send(method, path, headers, &component);
            assert!(reply.error(401).contains("a key is needed"));
        }
    }
    assert_eq!(server.client.get(INFER).status, 401);
    assert_eq!(server.infer()["history"], Value::Array(vec![]));
    // What can't be done is told as such.
    let rollback = server.send("POST", "/api/stages/infer/rollback", b"");
    assert!(rollback.error(409).contains("nothing to roll back to"));
    let promote = server.send("POST", "/api/stages/infer/promote", b"");
    assert!(promote.error(409).contains("no canary"));
    for (path, status) in [
        ("/api/stages/nothing", 404),
        ("/api/stages/infer?canary=0", 400),
        ("/api/stages/infer?who=me", 400),
    ] {
        server.send("PUT", path, &component).error(status);
    }
    server.send("PUT", INFER, b"").error(400);
    drop(server);
    // Without a key nobody may, and is told why, also on this machine.
    let server = Server::start(&place, None);
    for (method, path) in changes {
        let reply = server.client.send(method, path, &[], &component);
        let line = reply.error(403);
        assert!(line.contains("SEPTET_HTTP_KEY"), "{line}");
    }
    let stages = server.client.get("/api/stages").json(200);
    let stages = stages["stages"].as_array().unwrap();
    assert!(stages.len() == 7 && stages.iter().all(|stage| stage["built_in"] == true));
}
