//! Clients that mean harm, or do it: no body and no pace of theirs may hurt others.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use septet::trigger::http::HttpSettings;
use serde_json::json;

use super::{
    client::{read, reply},
    served::Served,
};

/// Time-outs that a test can wait for.
fn quick() -> HttpSettings {
    HttpSettings {
        head: Duration::from_secs(1),
        body: Duration::from_secs(1),
        write: Duration::from_secs(1),
        ..HttpSettings::default()
    }
}

#[test]
fn bodies_that_are_none_are_refused() {
    let served = Served::new();
    let client = served.client;
    let json = [("content-type", "application/json")];
    let post = |body: &[u8]| client.send("POST", "/api/runs", &json, body);
    let deep = "[".repeat(1 << 20);
    let nested = format!(
        r#"{{"kind":"train","options":{}"#,
        r#"{"a":"#.repeat(100_000)
    );
    for body in [
        b"{".as_slice(),
        b"\xff\xfe",
        b"{\"kind\":\"\xff\"}",
        b"null",
        b"{\"kind\":1e999}",
        b"\0",
        deep.as_bytes(),
        nested.as_bytes(),
    ] {
        post(body).error(400);
    }
    let huge = br#"{"kind":"train","data":[{"name":"a","text":"x"}],"options":{"seed":1e999}}"#;
    assert!(post(huge).error(400).contains("out of range"));
    // Control characters of a client do not come back to a terminal.
    let sly = r#"{"kind":"\u001b[2J\u202e","data":[]}"#;
    let error = post(sly.as_bytes()).error(400);
    assert!(!error.contains(['\u{1b}', '\u{202e}']), "{error:?}");
    client.get("/health/ready").json(200);
}

#[test]
fn bodies_that_are_too_large_are_refused() {
    let served = Served::with(HttpSettings {
        body_bytes: 100,
        json_bytes: 1000,
        ..HttpSettings::default()
    });
    let client = served.client;
    let error = client
        .send("POST", "/api/blobs", &[], &[b'x'; 101])
        .error(413);
    assert!(error.contains("100 bytes"), "{error}");
    client
        .send("POST", "/api/blobs", &[], &[b'x'; 100])
        .json(201);
    // One that lies about its length is counted.
    let chunked = [("transfer-encoding", "chunked")];
    let piece = format!("40\r\n{}\r\n", "x".repeat(64));
    let body = format!("{piece}{piece}0\r\n\r\n");
    client
        .send("POST", "/api/blobs", &chunked, body.as_bytes())
        .error(413);
    client
        .send(
            "POST",
            "/api/blobs",
            &[("content-length", "1000000000000")],
            b"",
        )
        .error(413);
    let text = "x".repeat(2000);
    client.post("/api/runs", &json!({"kind": text})).error(413);
    client.post("/predict/m", &json!([{"a": text}])).error(413);
}

#[test]
fn bodies_that_end_early_leave_nothing() {
    let served = Served::new();
    let client = served.client;
    for (header, part) in [
        ("transfer-encoding: chunked", "5\r\nab"),
        ("transfer-encoding: chunked", "zz\r\nab\r\n0\r\n\r\n"),
        ("content-length: 100", "ab"),
    ] {
        let mut stream = client.connect();
        let host = client.0;
        let head = format!("POST /api/blobs HTTP/1.1\r\nhost: {host}\r\n{header}\r\n\r\n{part}");
        stream.write_all(head.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = read(&mut stream);
        if !answer.is_empty() {
            let answer = reply(&answer);
            assert_eq!(answer.status, 400, "{answer:?}");
        }
    }
    let blobs = served.pipeline.store().blobs.list(None, 10);
    assert_eq!(served.wait(blobs).unwrap(), []);
}

#[test]
fn heads_are_bounded() {
    let served = Served::new();
    let client = served.client;
    let status = |headers: &str| {
        let head =
            format!("GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        reply(&client.raw(head.as_bytes())).status
    };
    assert_eq!(status(""), 200);
    let many: Vec<String> = (0..100).map(|n| format!("x-{n}: 1\r\n")).collect();
    let many = many.concat();
    assert_eq!(status(&many), 431);
    // What is too long is not read to its end: the answer may be lost with the connection.
    let long = "y".repeat(100_000);
    for bytes in [
        format!("GET /health/live HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n"),
        format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
    ] {
        let answer = client.raw(bytes.as_bytes());
        assert!(answer.is_empty() || reply(&answer).status >= 400);
    }
    let both = "POST /api/blobs HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
        content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    // However it is read, there is no second answer to what was smuggled in.
    let answers = String::from_utf8(client.raw(both.as_bytes())).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
    assert_eq!(
        reply(&client.raw(b"\x16\x03\x01 rubbish\r\n\r\n")).status,
        400
    );
    client.get("/health/live").json(200);
}

#[test]
fn slow_clients_are_not_waited_for() {
    let served = Served::with(quick());
    let client = served.client;
    let begun = Instant::now();
    // A head that never ends; nothing at all; and nothing after an answer.
    let mut head = client.connect();
    head.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\nx-a: ")
        .unwrap();
    let mut silent = client.connect();
    let mut kept = client.connect();
    kept.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    // A body that comes a byte now and then, as the one before it did.
    let mut body = client.connect();
    let start = format!(
        "POST /api/blobs HTTP/1.1\r\nhost: {}\r\ncontent-length: 100000\r\n\r\n",
        client.0
    );
    body.write_all(start.as_bytes()).unwrap();
    let mut drips = body.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while drips.write_all(b"x").is_ok() && begun.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let answer = reply(&read(&mut body));
        assert!(answer.error(408).contains("too slowly"));
        body.shutdown(std::net::Shutdown::Both).ok();
        read(&mut head);
        read(&mut silent);
        assert_eq!(reply(&read(&mut kept)).status, 200);
    });
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    // Nothing is left of half a body.
    let blobs = served.pipeline.store().blobs.list(None, 10);
    assert_eq!(served.wait(blobs).unwrap(), []);
}

#[test]
fn a_client_that_reads_nothing_is_left() {
    let mut served = Served::with(HttpSettings {
        connections: 1,
        ..quick()
    });
    let client = served.client;
    let mut stream = client.connect();
    let request = format!("GET /api/nothing HTTP/1.1\r\nhost: {}\r\n\r\n", client.0);
    // Answers that nobody takes fill every buffer; then the connection breaks.
    let begun = Instant::now();
    while stream.write_all(request.repeat(100).as_bytes()).is_ok() {
        assert!(
            begun.elapsed() < Duration::from_secs(50),
            "it is served for ever"
        );
    }
    // Its place is free again.
    client.get("/health/live").json(200);
    served.stop();
}

#[test]
fn requests_at_once_are_bounded() {
    let served = Served::with(HttpSettings {
        requests: 1,
        ..HttpSettings::default()
    });
    let client = served.client;
    let mut stream = client.connect();
    let request = client.request("POST", "/api/blobs", &[], b"0123456789");
    let (first, rest) = request.split_at(request.len() - 5);
    stream.write_all(first).unwrap();
    // After another one's answer the server is at it: none below comes before it.
    client.get("/health/live").json(200);
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let answer = client.get("/api/runs");
        if answer.status == 503 {
            assert!(answer.error(503).contains("too many requests"));
            assert_eq!(answer.header("retry-after"), Some("1"));
            break;
        }
        assert!(
            Instant::now() < deadline,
            "the first request is not counted"
        );
    }
    client.get("/health/live").json(200);
    stream.write_all(rest).unwrap();
    reply(&read(&mut stream)).json(201);
    client.get("/api/runs").json(200);
}
