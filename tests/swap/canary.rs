//! A component answers a share of the requests, and a bad one is rolled back by itself.

use std::time::{Duration, Instant};

use septet::contract::Stage;
use serde_json::Value;

use super::{
    server::{KEY, Server, answered, digest, penguins, place},
    variants::{builtin, marked, otherwise},
};

/// Waits until a request of the canary's share is answered by it: until it is loaded the other one does.
fn until_it_answers(server: &Server, canary: &str) {
    let until = Instant::now() + Duration::from_secs(30);
    let mut request = 0;
    loop {
        request += 1;
        let key = format!("warm-{request}");
        if answered(&server.predict(&penguins(1, 0), Some(&key))).0 == canary {
            return;
        }
        assert!(Instant::now() < until, "the canary never answers");
    }
}

#[test]
fn a_canary_answers_its_share_on_every_server() {
    let place = place("");
    let (one, other) = (
        Server::start(&place, Some(KEY)),
        Server::start(&place, Some(KEY)),
    );
    let good = marked(builtin(Stage::Infer), "canary");
    let canary = digest(&good);
    let told = one.put("/api/stages/infer?canary=10", &good).json(200);
    assert_eq!(told["canary"], 10.0);
    until_it_answers(&one, &canary);
    // The other server has it within a second, and loads it at its first request.
    until_it_answers(&other, &canary);
    let request = penguins(2, 5);
    let by = |server: &Server, key: usize| {
        let key = format!("client-{key}");
        let (by, _) = answered(&server.predict(&request, Some(&key)));
        by == canary
    };
    let keys = 400;
    let first: Vec<bool> = (0..keys).map(|key| by(&one, key)).collect();
    let taken = first.iter().filter(|taken| **taken).count();
    // Of 400 with a chance of a tenth each: 40, and by six standard deviations no less and no more.
    assert!((4..=76).contains(&taken), "{taken} of {keys}");
    for (key, before) in first.iter().enumerate().take(keys / 4) {
        assert_eq!(by(&other, key), *before, "key {key} is not sticky");
    }
    // Without a key, the body is it.
    let bodies = (0..20).map(|n| penguins(1, n * 17));
    for body in bodies {
        let ask = |server: &Server| answered(&server.predict(&body, None)).0;
        assert_eq!(ask(&one), ask(&other));
    }
    // Both were seen, and nothing is against it.
    let seen = one.until(|infer| infer["observed"]["control"]["calls"].as_u64() > Some(300));
    assert_eq!(seen["observed"]["canary"]["errors"], 0);
    let promoted = other
        .send("POST", "/api/stages/infer/promote", b"")
        .json(200);
    assert_eq!(promoted["component"], canary.as_str());
    assert_eq!(answered(&other.predict(&request, None)).0, canary);
}

#[test]
fn a_bad_canary_is_rolled_back_by_itself_and_harms_nobody() {
    let place = place("");
    let server = Server::start(&place, Some(KEY));
    let own = digest(builtin(Stage::Infer));
    let bad = digest(otherwise());
    // It traps for three rows, and is slow with five.
    for (rows, figure) in [
        (3, "of the canary failed"),
        (5, "of the canary took longer"),
    ] {
        server
            .put("/api/stages/infer?canary=50", otherwise())
            .json(200);
        until_it_answers(&server, &bad);
        let until = Instant::now() + Duration::from_mins(1);
        for request in 0.. {
            let key = format!("{rows}-{request}");
            let (by, _) = answered(&server.predict(&penguins(rows, request), Some(&key)));
            // Who is failed by the one is answered by the other.
            assert!(by == own || (rows == 5 && by == bad), "by {by}");
            if request % 20 == 0 && server.infer()["canary"].is_null() {
                break;
            }
            assert!(Instant::now() < until, "it was not rolled back");
        }
        let infer = server.infer();
        let last = infer["history"].as_array().unwrap().last().unwrap();
        assert_eq!(
            (&last["event"], &last["who"]),
            (&"withdrawn".into(), &"septet".into())
        );
        let reason = last["reason"].as_str().unwrap();
        assert!(
            reason.contains(figure) && reason.contains("by chance"),
            "{reason}"
        );
        assert_eq!(infer["component"], own.as_str());
        // Nothing goes to and fro: it stays away.
        let (by, _) = answered(&server.predict(&penguins(1, 1), None));
        assert_eq!(by, own);
    }
    assert_eq!(server.infer()["observed"], Value::Null);
}

#[test]
fn a_run_is_done_by_the_canary_whole() {
    let place = place("");
    let component = marked(builtin(Stage::Ingest), "canary");
    let file = place.write("ingest.wasm", &component);
    let file = file.to_str().unwrap();
    place
        .septet(&["stages", "swap", "ingest", file, "--canary", "100%"])
        .ok();
    let data = crate::support::septet::demo("penguins.csv");
    let data = data.to_str().unwrap();
    let run = [
        "run", data, "--target", "species", "--name", "penguins", "--json",
    ];
    let run = place.septet(&run).json()["run"]
        .as_str()
        .unwrap()
        .to_owned();
    let shown = place.septet(&["runs", "show", &run, "--json"]).ok();
    assert!(
        shown.stdout.contains(&digest(&component)),
        "{}",
        shown.stdout
    );
}
