//! A component is given copies of requests and of a run's calls, and what it answers otherwise is told.

use std::time::{Duration, Instant};

use septet::contract::Stage;
use serde_json::Value;

use super::{
    server::{KEY, Server, answered, digest, penguins, place},
    variants::{builtin, marked, otherwise},
};
use crate::support::septet::Workplace;

fn report(place: &Workplace, stage: &str) -> Value {
    place.septet(&["shadow", "report", stage, "--json"]).json()["compared"].clone()
}

fn until(place: &Workplace, stage: &str, so: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let compared = report(place, stage);
        if so(&compared) {
            return compared;
        }
        assert!(Instant::now() < until, "it never came to that: {compared}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_shadow_answers_beside_and_its_differences_are_told() {
    let place = place("");
    let server = Server::start(&place, Some(KEY));
    let own = digest(builtin(Stage::Infer));
    let nothing = place.septet(&["shadow", "report", "infer"]).refused();
    assert!(nothing.contains("infer has no shadow"), "{nothing}");
    let put = |path: &str, component: &[u8]| server.put(path, component).json(200);

    put("/api/stages/infer?shadow=100", otherwise());
    let mut sent = 0;
    let ask = |sent: &mut u64, rows: usize| {
        *sent += 1;
        let seed = usize::try_from(*sent).unwrap();
        let (by, _) = answered(&server.predict(&penguins(rows, seed), None));
        assert_eq!(by, own, "a shadow's answer counts for nothing");
    };
    let limit = Instant::now() + Duration::from_mins(1);
    loop {
        ask(&mut sent, 2);
        let seen = server.infer()["compared"].clone();
        if seen["different"].as_u64() >= Some(3) {
            break;
        }
        assert!(Instant::now() < limit, "{seen}");
    }
    // It traps for three rows, and nobody minds.
    for _ in 0..3 {
        ask(&mut sent, 3);
    }
    let compared = until(&place, "infer", |seen| {
        let count = |name: &str| seen[name].as_u64().unwrap();
        count("same") + count("different") + count("failed") + count("skipped") == sent
    });
    assert_eq!(compared["same"], 0, "{compared}");
    assert!(compared["failed"].as_u64() >= Some(1) || compared["skipped"].as_u64() >= Some(1));
    let differences = compared["differences"].as_array().unwrap();
    assert!((1..=20).contains(&differences.len()));
    let first = &differences[0];
    assert!(
        first["place"]
            .as_str()
            .unwrap()
            .contains("record 1, probability_"),
        "{first}"
    );
    assert_ne!(first["in_force"], first["shadow"]);
    for side in ["in_force", "shadow"] {
        assert!(compared[side]["calls"].as_u64() >= Some(3), "{compared}");
        assert!(compared[side]["peak_memory_bytes"].as_u64() > Some(1 << 16));
    }
    let text = place.septet(&["shadow", "report", "infer"]).ok().stdout;
    assert!(
        text.contains("first differences") && text.contains("ms a call"),
        "{text}"
    );

    // One that answers the same, in its place: what was compared with the other is gone.
    put(
        "/api/stages/infer?shadow=100",
        &marked(builtin(Stage::Infer), "shadow"),
    );
    ask(&mut sent, 2);
    let compared = until(&place, "infer", |seen| seen["same"].as_u64() >= Some(1));
    assert_eq!(
        (&compared["different"], &compared["failed"]),
        (&0.into(), &0.into())
    );
    assert_eq!(compared["in_a_row"], 1);
    let promote = server.send("POST", "/api/stages/infer/promote", b"");
    let line = promote.error(409);
    assert!(line.contains("1 of the 3 matches in a row"), "{line}");
    server
        .send("POST", "/api/stages/infer/rollback", b"")
        .json(200);
    place.septet(&["shadow", "report", "infer"]).refused();

    // And a stage of runs.
    put(
        "/api/stages/ingest?shadow=100",
        &marked(builtin(Stage::Ingest), "shadow"),
    );
    let data = std::fs::read(crate::support::septet::demo("penguins.csv")).unwrap();
    let key = format!("Bearer {KEY}");
    let headers = [
        ("authorization", key.as_str()),
        ("content-type", "text/csv"),
    ];
    let path = "/api/runs?kind=predict&model=penguins&name=again.csv";
    // Another file than the store has: what is answered from the ledger is no call.
    let data = [&data[..], b"Adelie,Dream,40.0,18.0,190,3800,male\n"].concat();
    server.client.send("POST", path, &headers, &data).json(201);
    let compared = until(&place, "ingest", |seen| seen["same"].as_u64() >= Some(1));
    assert_eq!(compared["different"], 0, "{compared}");
}
