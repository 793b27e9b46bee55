//! Runs over HTTP: asked for, looked at, ended; and who may.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use septet::{
    contract::{Digest, Stage},
    trigger::http::{HttpSettings, Key},
};
use serde_json::{Value, json};

use super::{
    client::{read, reply},
    served::Served,
};

const KEY: &str = "0123456789abcdef0123";

/// A run that need not be worked on.
fn wish() -> Value {
    json!({
        "kind": "train", "model": "m",
        "data": [{"name": "d.csv", "text": "a,b\n1,2\n"}], "options": {"target": "b"},
    })
}

#[test]
fn a_model_is_trained_over_http() {
    let served = Served::new();
    let client = served.client;
    assert_eq!(client.get("/health/ready").json(200)["status"], "ready");
    assert_eq!(served.train("penguins", "random-forest"), 1);

    let runs = client.get("/api/runs?limit=5").json(200);
    let run = runs["runs"][0]["run"].as_str().unwrap().to_owned();
    assert_eq!(runs["runs"][0]["status"], "done");
    assert_eq!(runs["runs"][0]["data"], json!(["penguins.csv"]));
    // By the whole identifier and by its beginning.
    for name in [&run[..], &run[..13]] {
        let shown = client.get(&format!("/api/runs/{name}")).json(200);
        assert_eq!(shown["run"], run);
        let stages: Vec<&str> = shown["stages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["stage"].as_str().unwrap())
            .collect();
        assert_eq!(
            stages,
            ["ingest", "preprocess", "train", "evaluate", "deploy"]
        );
        assert!(
            shown["stages"]
                .as_array()
                .unwrap()
                .iter()
                .all(|row| row["status"] == "ok")
        );
    }
    let state = served.wait(served.pipeline.state(&run)).unwrap();
    let bundle = state.output(Stage::Train, "bundle").unwrap();
    let got = client.get(&format!("/api/runs/{run}/artifacts/train/bundle"));
    assert_eq!(got.status, 200);
    assert_eq!(got.header("content-type"), Some(&bundle.media_type[..]));
    assert_eq!(got.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(
        got.header("content-length").unwrap(),
        bundle.size.to_string()
    );
    assert_eq!(Digest::of(&got.body), bundle.digest);
    for missing in ["train/nothing", "trian/bundle", "deploy/bundle"] {
        let path = format!("/api/runs/{run}/artifacts/{missing}");
        client.get(&path).error(404);
    }
    let models = client.get("/api/models").json(200);
    assert_eq!(models["models"][0]["model"], "penguins");
    assert_eq!(models["models"][0]["aliases"][0]["alias"], "champion");
    assert_eq!(client.get("/api/queues").json(200)["queues"], json!([]));
    // What is done stays done.
    let cancelled = client.send("POST", &format!("/api/runs/{run}/cancel"), &[], b"");
    assert_eq!(cancelled.json(200)["status"], "done");
    // What somebody took out of the store is gone, and asking again does not help.
    let blobs = &served.pipeline.store().blobs;
    let listed = served.wait(blobs.list(None, 1000)).unwrap();
    let listed = listed.iter().find(|blob| blob.digest == bundle.digest);
    assert!(served.wait(blobs.remove(listed.unwrap())).unwrap());
    let got = client.get(&format!("/api/runs/{run}/artifacts/train/bundle"));
    assert!(got.error(410).contains("not kept"));
    assert_eq!(got.header("retry-after"), None);
}

#[test]
fn data_come_as_a_body_or_as_a_blob() {
    let served = Served::new();
    let client = served.client;
    let csv = [("content-type", "text/csv; charset=utf-8")];
    let query = "/api/runs?kind=train&model=m&name=d.csv&target=b";
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let traced = [csv[0], ("traceparent", trace)];
    let asked = client.send("POST", query, &traced, b"a,b\n1,2\n");
    let run = asked.json(201)["run"].as_str().unwrap().to_owned();
    assert_eq!(
        asked.header("location").unwrap(),
        format!("/api/runs/{run}")
    );
    let state = served.wait(served.pipeline.state(&run)).unwrap();
    assert_eq!(state.request.trace.as_deref(), Some(trace));
    let source = &state.request.sources[0];
    assert_eq!(source.label, "d.csv");
    assert_eq!(source.artifact.media_type, "text/csv");
    assert_eq!(source.artifact.digest, Digest::of(b"a,b\n1,2\n"));

    // In pieces, without a length told before.
    let chunked = [csv[0], ("transfer-encoding", "chunked")];
    let pieces = b"4\r\nx,y\n\r\n4\r\n3,4\n\r\n0\r\n\r\n";
    let kept = client
        .send("POST", "/api/blobs", &chunked, pieces)
        .json(201);
    let digest = Digest::of(b"x,y\n3,4\n");
    assert_eq!(kept, json!({"digest": digest, "size": 8}));
    let mut wish = wish();
    wish["data"] = json!([{"name": "e.parquet", "digest": digest}]);
    let run = client.post("/api/runs", &wish).json(201)["run"].clone();
    let state = served
        .wait(served.pipeline.state(run.as_str().unwrap()))
        .unwrap();
    let source = &state.request.sources[0].artifact;
    assert_eq!((source.digest, source.size), (digest, 8));
    assert_eq!(source.media_type, "application/vnd.apache.parquet");

    // One blob may be many parts.
    wish["data"] =
        json!([{"name": "e.csv", "digest": digest}, {"name": "f.csv", "digest": digest}]);
    client.post("/api/runs", &wish).json(201);

    wish["data"] = json!([{"name": "e.csv", "digest": Digest::of(b"not there")}]);
    let error = client.post("/api/runs", &wish).error(422);
    assert!(
        error.contains("'e.csv'") && error.contains("/api/blobs"),
        "{error}"
    );
    // What the makers of requests refuse is told.
    wish["data"] = json!([{"name": "e.csv", "digest": digest}]);
    wish["options"] = json!({});
    assert!(
        client
            .post("/api/runs", &wish)
            .error(422)
            .contains("--target")
    );
}

#[test]
fn a_request_with_a_key_is_done_once() {
    let served = Served::new();
    let client = served.client;
    let keyed = |key: &str, wish: &Value| {
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        client.send("POST", "/api/runs", &headers, wish.to_string().as_bytes())
    };
    let first = keyed("one", &wish()).json(201);
    assert_eq!(keyed("one", &wish()).json(200), first);
    assert_ne!(keyed("two", &wish()).json(201)["run"], first["run"]);
    let mut other = wish();
    other["options"]["target"] = json!("a");
    assert!(keyed("one", &other).error(409).contains("Idempotency-Key"));
    // A request that is refused does not use its key up.
    other["options"] = json!({});
    keyed("three", &other).error(422);
    keyed("three", &wish()).json(201);
    let raw = |query: &str| {
        let headers = [("content-type", "text/csv"), ("idempotency-key", "four")];
        client.send(
            "POST",
            &format!("/api/runs?{query}"),
            &headers,
            b"a,b\n1,2\n",
        )
    };
    let first = raw("kind=train&model=m&target=b").json(201);
    assert_eq!(raw("kind=train&model=m&target=b").json(200), first);
    raw("kind=train&model=m&target=a").error(409);
    keyed(&"x".repeat(256), &wish()).error(400);
    keyed("", &wish()).error(400);
    assert_eq!(
        client.get("/api/runs").json(200)["runs"]
            .as_array()
            .unwrap()
            .len(),
        4
    );

    // Many at once are one run.
    let runs: Vec<Value> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| keyed("many", &wish())))
            .collect();
        let replies = asking.into_iter().map(|asked| asked.join().unwrap());
        replies
            .map(|reply| reply.json(reply.status)["run"].clone())
            .collect()
    });
    assert!(
        runs.iter().all(|run| *run == runs[0] && run.is_string()),
        "{runs:?}"
    );

    // A key does not stand for another run when its own is forgotten.
    let run = runs[0].as_str().unwrap();
    let records = &served.pipeline.store().records;
    let forget = async {
        records.create(&format!("forgotten/{run}"), b"{}").await?;
        records.delete(&format!("active/{run}")).await?;
        records.delete(&format!("runs/{run}")).await
    };
    served.wait(forget).unwrap();
    let error = keyed("many", &wish()).error(410);
    assert!(error.contains("use another key"), "{error}");
    client.get(&format!("/api/runs/{run}")).error(404);
}

#[test]
fn a_run_is_cancelled() {
    let served = Served::new();
    let client = served.client;
    let run = client.post("/api/runs", &wish()).json(201)["run"].clone();
    let run = run.as_str().unwrap();
    assert_eq!(
        client.get("/api/queues").json(200)["queues"][0]["queue"],
        "ingest"
    );
    let ended = client.send("POST", &format!("/api/runs/{run}/cancel"), &[], b"");
    assert_eq!(ended.json(200), json!({"run": run, "status": "cancelled"}));
    let shown = client.get(&format!("/api/runs/{run}")).json(200);
    assert_eq!(shown["reason"], "cancelled by a request over HTTP");
}

#[test]
fn what_is_not_there_or_not_so_is_told() {
    let served = Served::new();
    let client = served.client;
    assert!(
        client
            .get("/api/nothing")
            .error(404)
            .contains("POST /predict/MODEL")
    );
    assert!(client.get("/").error(404).contains("GET /api/runs"));
    let not_so = client.send("DELETE", "/api/runs", &[], b"");
    assert!(not_so.error(405).contains("does not take DELETE"));
    assert!(
        not_so
            .header("allow")
            .is_some_and(|allow| allow.contains("GET"))
    );
    client.get("/predict/m").error(405);
    client.get("/api/runs/ffffffff").error(404);
    client.get("/api/runs/..%2f..%2fetc").error(404);
    client.get("/api/runs/%ff").error(400);
    let error = client.get("/api/runs?limit=0").error(400);
    assert!(error.contains("must be 1 to 500"), "{error}");
    client.get("/api/runs?limit=x").error(400);
    client.get("/api/runs?most=1").error(400);
    client.post("/predict/nothing", &json!([])).error(404);
    client.post("/predict/no%20name", &json!([])).error(400);
    let html = [("content-type", "text/html")];
    client.send("POST", "/api/runs", &html, b"<p>").error(415);
    client.send("POST", "/predict/m", &html, b"<p>").error(415);
    client.send("POST", "/api/runs", &[], b"{}").error(415);
    let packed = [
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
    ];
    client.send("POST", "/api/runs", &packed, b"{}").error(415);
    let csv = [("content-type", "text/csv")];
    let error = client
        .send("POST", "/api/runs?model=m", &csv, b"a\n")
        .error(400);
    assert!(error.contains("kind"), "{error}");
    client
        .send("POST", "/api/runs?kind=train", &csv, b"")
        .error(400);
    let path = "/api/runs?kind=train&schema=%2Fetc%2Fpasswd";
    let error = client.send("POST", path, &csv, b"a\n").error(400);
    assert!(error.contains("no option 'schema'"), "{error}");
    assert_eq!(client.get("/api/runs").json(200)["runs"], json!([]));
}

#[test]
fn a_key_opens_all_but_health() {
    let served = Served::with(HttpSettings {
        key: Some(Key::new(KEY).unwrap()),
        ..HttpSettings::default()
    });
    let client = served.client;
    client.get("/health/live").json(200);
    client.get("/health/ready").json(200);
    for path in ["/api/runs", "/nothing", "/health", "//health/live"] {
        let refused = client.get(path);
        refused.error(401);
        assert!(refused.header("www-authenticate").is_some());
    }
    let get = |name: &str, value: &str| client.send("GET", "/api/runs", &[(name, value)], b"");
    get("authorization", &format!("Bearer {KEY}")).json(200);
    get("x-functions-key", KEY).json(200);
    get("authorization", &format!("Bearer {KEY}x")).error(401);
    get("authorization", &format!("Basic {KEY}")).error(401);
    get("x-functions-key", "").error(401);
    // Who has the key may come from anywhere.
    let from = [
        ("x-functions-key", KEY),
        ("host", "ml.example"),
        ("origin", "http://a.example"),
    ];
    client.send("GET", "/api/runs", &from, b"").json(200);
}

#[test]
fn without_a_key_foreign_pages_are_refused() {
    let served = Served::new();
    let client = served.client;
    let port = client.0.port();
    let get = |headers: &[(&str, &str)]| client.send("GET", "/api/runs", headers, b"");
    for host in [
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
        "127.0.0.1".to_owned(),
    ] {
        get(&[("host", &host)]).json(200);
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "",
        "127.0.0.1.evil.example",
    ] {
        get(&[("host", host)]).error(403);
    }
    let own = format!("127.0.0.1:{port}");
    get(&[("host", &own), ("origin", &format!("http://{own}"))]).json(200);
    for origin in [
        "http://evil.example",
        "null",
        "https://localhost",
        "http://localhost:1",
    ] {
        get(&[("host", &own), ("origin", origin)]).error(403);
    }
    // The whole address in the first line counts as a host does.
    let absolute = format!(
        "GET http://evil.example/api/runs HTTP/1.1\r\nhost: {own}\r\nconnection: close\r\n\r\n"
    );
    reply(&client.raw(absolute.as_bytes())).error(403);
}

#[test]
fn an_address_that_others_reach_needs_a_key() {
    use septet::trigger::http::HttpSettings;
    let open = "0.0.0.0:0".parse().unwrap();
    let error = HttpSettings::default().check(open).unwrap_err().to_string();
    assert!(error.contains("SEPTET_HTTP_KEY"), "{error}");
    assert_eq!(error.lines().count(), 1);
}

#[test]
fn a_stop_lets_requests_end() {
    let mut served = Served::new();
    let client = served.client;
    let mut stream = client.connect();
    let body = wish().to_string();
    let json = [("content-type", "application/json")];
    let request = client.request("POST", "/api/runs", &json, body.as_bytes());
    let (first, rest) = request.split_at(request.len() - 5);
    stream.write_all(first).unwrap();
    // Idle connections do not hold it up. After another one's answer the server is at ours.
    let idle = client.connect();
    client.get("/health/live").json(200);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            // Nobody is accepted any more: then the stop was heard.
            let deadline = Instant::now() + Duration::from_secs(20);
            while std::net::TcpStream::connect(client.0).is_ok() {
                assert!(Instant::now() < deadline, "it goes on to accept");
                std::thread::yield_now();
            }
            stream.write_all(rest).unwrap();
            reply(&read(&mut stream)).json(201)
        });
        served.stop();
        asking.join().unwrap();
    });
    assert!(begun.elapsed() < Duration::from_secs(15));
    drop(idle);
}
