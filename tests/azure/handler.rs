//! What may be sent to `septet azure handle`, by the Functions host and by others, and what it says.

use std::{
    fs,
    io::Write as _,
    net::{Ipv4Addr, TcpStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::simulator::{
    app::App,
    client::{self, Answer, headers},
    encoder::{Bound, body},
    process::{Host, Verdict},
    queue,
    response::{Outcome, judge},
    storage::{Message, Storage},
    timer,
};
use crate::support::{azurite, septet::binary};

/// Writes an app: its functions as name and bindings.
pub(crate) fn write_app(root: &Path, functions: &[(&str, Value)], queues: Value, settings: &str) {
    let host = json!({
        "version": "2.0",
        "functionTimeout": "00:01:00",
        "customHandler": {
            "description": {"defaultExecutablePath": binary(), "arguments": ["azure", "handle"]},
            "enableForwardingHttpRequest": true
        },
        "extensions": {"queues": queues, "http": {"routePrefix": ""}}
    });
    fs::create_dir_all(root).unwrap();
    fs::write(root.join("host.json"), host.to_string()).unwrap();
    fs::write(root.join("septet.toml"), settings).unwrap();
    for (name, bindings) in functions {
        fs::create_dir_all(root.join(name)).unwrap();
        let text = json!({"bindings": bindings}).to_string();
        fs::write(root.join(name).join("function.json"), text).unwrap();
    }
}

/// The bindings of a function that a queue begins.
pub(crate) fn on_queue(queue: &str, data_type: &str) -> Value {
    json!([{"type": "queueTrigger", "direction": "in", "name": "msg", "queueName": queue,
        "connection": "PipelineStorage", "dataType": data_type}])
}

pub(crate) fn on_clock() -> Value {
    json!([{"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 * * * * *"}])
}

fn on_http(route: &str) -> Value {
    json!([{"type": "httpTrigger", "direction": "in", "name": "req", "route": route,
            "authLevel": "function", "methods": ["get", "post"]},
           {"type": "http", "direction": "out", "name": "res"}])
}

/// The folder for native code that all tests share.
pub(crate) fn cache() -> &'static str {
    concat!(env!("CARGO_TARGET_TMPDIR"), "/cache")
}

struct Here {
    host: Host,
    storage: Storage,
    _folder: TempDir,
}

/// One app with a function of each kind, over an account of its own.
fn here() -> Option<Here> {
    let storage = Storage::new(azurite::account()?);
    let folder = TempDir::new().unwrap();
    let functions = [
        ("ingest", on_queue("ingest", "binary")),
        ("train", on_queue("train", "string")),
        ("sweep", on_clock()),
        (
            "blobs",
            json!([{"type": "eventGridTrigger", "name": "event"}]),
        ),
        ("runs", on_http("api/runs/{run?}")),
    ];
    let settings = "[[container]]\ncontainer = 'incoming'\nprefix = 'good/'\nrun = 'train'\n\
                    options = { target = 'sex' }\n\
                    [[container]]\ncontainer = 'incoming'\nprefix = 'wrong/'\nrun = 'monitor'\n\
                    model = 'nobody'\n";
    write_app(folder.path(), &functions, json!({}), settings);
    let host = Host::start(
        App::read(folder.path()),
        &[
            ("PipelineStorage", &storage.connection_string()),
            ("SEPTET_CACHE", cache()),
        ],
    );
    host.ready();
    Some(Here {
        host,
        storage,
        _folder: folder,
    })
}

impl Here {
    fn call(&self, function: &str, body: &[u8]) -> Answer {
        self.host
            .call(function, "11111111-aaaa", body, None)
            .unwrap()
    }

    /// An invocation by a message with this body.
    fn message(&self, function: &str, bytes: &[u8]) -> Outcome {
        let message = Message {
            id: uuid::Uuid::new_v4().to_string(),
            receipt: "r".to_owned(),
            count: 1,
            text: BASE64_STANDARD.encode(bytes),
        };
        self.host.invoke(
            function,
            &queue::payload(&self.host, function, &message),
            None,
        )
    }

    /// The reasons in our poison queue.
    fn reasons(&self, queue: &str) -> Vec<String> {
        let bodies = self.storage.peek(&format!("{queue}-poison"));
        let reason = |message: &Message| {
            let event = BASE64_STANDARD.decode(&message.text).unwrap();
            let event: Value = serde_json::from_slice(&event).unwrap();
            event["data"]["reason"].as_str().unwrap().to_owned()
        };
        bodies.iter().map(reason).collect()
    }
}

#[track_caller]
fn logs(outcome: Outcome) -> Vec<String> {
    match outcome {
        Outcome::Succeeded { logs, outputs } => {
            assert_eq!(outputs, json!({}), "outputs could be misread");
            logs
        }
        other => panic!("{other:?}"),
    }
}

fn event(url: &str, etag: &str) -> Value {
    json!({"topic": "t", "subject": "s", "eventType": "Microsoft.Storage.BlobCreated", "id": "1",
        "eventTime": "2026-06-26T18:41:00Z", "dataVersion": "", "metadataVersion": "1",
        "data": {"api": "PutBlob", "eTag": etag, "url": url, "blobType": "BlockBlob"}})
}

#[test]
fn every_kind_of_payload_is_understood() {
    let Some(here) = here() else { return };
    // The clock.
    let tick = timer::payload(&here.host, "sweep");
    let lines = logs(here.host.invoke("sweep", &tick, None));
    assert!(lines.iter().any(|line| line.contains("swept")), "{lines:?}");
    assert!(
        lines.iter().all(|line| line.starts_with('[')),
        "each has the invocation: {lines:?}"
    );
    // What is no message of ours is set aside with the reason, in either encoding.
    for (function, text) in [("ingest", "hello"), ("train", "{\"job\":1}")] {
        let lines = logs(here.message(function, text.as_bytes()));
        assert!(
            lines.iter().any(|line| line.contains("poison")),
            "{lines:?}"
        );
        let reasons = here.reasons(function);
        assert!(reasons[0].contains("no event of ours"), "{reasons:?}");
    }
    // A blob becomes a run, once, from a queue and from Event Grid, in both forms of the event.
    let data = fs::read(crate::support::septet::demo("penguins.csv")).unwrap();
    let (url, etag) = here
        .storage
        .put_blob("incoming", "good/penguins.csv", &data);
    let created = event(&url, etag.trim_matches('"'));
    let first = logs(here.message("ingest", created.to_string().as_bytes()));
    assert!(
        first.iter().any(|line| line.contains("train run")),
        "{first:?}"
    );
    let mut cloud = created.clone();
    cloud["specversion"] = json!("1.0");
    cloud["type"] = cloud["eventType"].clone();
    let trace = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    for sent in [cloud, json!(created.to_string())] {
        let sent = body("blobs", &[("event", Bound::Json(sent))], &[]);
        let again = logs(here.host.invoke("blobs", &sent, trace));
        assert!(
            again.iter().any(|line| line.contains("was begun before")),
            "{again:?}"
        );
    }
    // What can't become a run is set aside with the reason; what is gone is only told.
    let (wrong, _) = here.storage.put_blob("incoming", "wrong/a.csv", &data);
    let (other, _) = here.storage.put_blob("others", "a.csv", &data);
    for (url, told) in [
        (wrong.as_str(), "nobody"),
        (other.as_str(), "no [[container]]"),
        (
            "https://elsewhere.example/incoming/good/a.csv",
            "not in the account",
        ),
    ] {
        logs(
            here.message(
                "ingest",
                event(url, "0x1")
                    .to_string()
                    .replace("\"0x1\"", "null")
                    .as_bytes(),
            ),
        );
        let reasons = here.reasons("ingest");
        assert!(
            reasons.iter().any(|reason| reason.contains(told)),
            "{told}: {reasons:?}"
        );
    }
    let before = here.reasons("ingest").len();
    let gone = url.replace("penguins.csv", "gone.csv");
    for (url, etag, told) in [
        (&gone, &etag, "deleted"),
        (&url, &"0x0".to_owned(), "written again"),
    ] {
        let lines = logs(here.message("ingest", event(url, etag).to_string().as_bytes()));
        assert!(
            lines.iter().any(|line| line.contains(told)),
            "{told}: {lines:?}"
        );
    }
    assert_eq!(here.reasons("ingest").len(), before);
    // A request over HTTP goes to the routes as it is: the run that the blob began is there, and no
    // other route is.
    let port = here.host.port();
    let headers = [
        ("Host", "app.azurewebsites.net"),
        ("Origin", "https://page.example"),
    ];
    let listed = client::send(port, ("GET", "/api/runs"), &headers, b"").unwrap();
    assert_eq!(listed.status, 200, "{}", listed.text());
    assert!(listed.text().contains("\"train\""), "{}", listed.text());
    let other = client::send(port, ("GET", "/api/models"), &headers, b"").unwrap();
    assert_eq!(other.status, 404);
}

#[test]
fn hostile_payloads_are_refused_and_told_of() {
    let Some(here) = here() else { return };
    let deep = format!(
        "{{\"Data\":{{\"msg\":{}{}}}}}",
        "[".repeat(9000),
        "]".repeat(9000)
    );
    let huge = vec![b' '; 2 << 20];
    for (sent, status, told) in [
        (&b""[..], 400, "the body is not"),
        (b"null", 400, "the body is not"),
        (b"{\"Data\":{}}", 400, "Data has no 'msg'"),
        (b"{\"Data\":{\"msg\":7}}", 400, "no string of base64"),
        (b"{\"Data\":{\"msg\":\"a text\"}}", 400, "dataType"),
        (deep.as_bytes(), 400, "recursion limit"),
        (&huge, 413, "more than"),
    ] {
        let answer = here.call("ingest", sent);
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let json = answer.json();
        assert!(json["error"].as_str().unwrap().contains(told), "{json}");
        assert_eq!(json["invocation"], "11111111-aaaa");
        assert!(matches!(
            judge(answer.status, None, &answer.body),
            Outcome::Failed(_)
        ));
    }
    // Of a failed invocation the host keeps nothing, so the line is in the log, and not as an error
    // of unknown kind on standard error.
    let lines = here.host.lines();
    let told = |line: &String| line.contains("11111111-aaaa") && line.contains("Data has no 'msg'");
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("out: ") && told(line)),
        "{lines:#?}"
    );
    assert!(
        lines.iter().all(|line| line.starts_with("out: ")),
        "{lines:#?}"
    );
    let port = here.host.port();
    let asked = |what| client::send(port, what, &[], b"").unwrap();
    assert_eq!(asked(("POST", "/nobody")).status, 404);
    assert_eq!(asked(("GET", "/ingest")).status, 405);
    assert_eq!(asked(("GET", "/")).status, 200);
    // No Content-Type, and headers that are no headers of the host.
    let tick = timer::payload(&here.host, "sweep").to_string();
    let none = client::send(port, ("POST", "/sweep"), &[], tick.as_bytes()).unwrap();
    assert_eq!(none.status, 200);
    let odd = [
        ("X-Azure-Functions-InvocationId", "a b\tc"),
        ("traceparent", "00-zz"),
    ];
    let odd = client::send(port, ("POST", "/sweep"), &odd, tick.as_bytes()).unwrap();
    assert_eq!(odd.status, 200);
    assert!(odd.text().contains("[unknown]"), "{}", odd.text());
    // Somebody who never ends a body does not keep others from being answered.
    let mut slow = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    slow.write_all(b"POST /sweep HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{")
        .unwrap();
    let begun = Instant::now();
    logs(
        here.host
            .invoke("sweep", &timer::payload(&here.host, "sweep"), None),
    );
    assert!(begun.elapsed() < Duration::from_secs(10));
    slow.set_read_timeout(Some(Duration::from_secs(40)))
        .unwrap();
    assert_eq!(client::read(slow).unwrap().status, 408);
}

#[test]
fn it_is_there_before_anything_is_opened_and_lives_through_an_outage() {
    let folder = TempDir::new().unwrap();
    write_app(folder.path(), &[("sweep", on_clock())], json!({}), "");
    // Nobody listens there.
    let none = "DefaultEndpointsProtocol=http;AccountName=x;AccountKey=eA==;\
                BlobEndpoint=http://127.0.0.1:9/x;QueueEndpoint=http://127.0.0.1:9/x;";
    let host = Host::start(App::read(folder.path()), &[("PipelineStorage", none)]);
    let ready = host.ready();
    assert!(ready < Duration::from_secs(5), "{ready:?}");
    let tick = timer::payload(&host, "sweep");
    let answer = client::post(
        host.port(),
        "/sweep",
        &headers("i-1", None),
        tick.to_string().as_bytes(),
        Duration::from_secs(55),
    )
    .unwrap();
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(
        answer.text().contains("PipelineStorage"),
        "{}",
        answer.text()
    );
    // The process is still there: the next invocation tries again.
    assert_eq!(host.starts(), 1);
    host.ready();
}

#[test]
fn a_killed_handler_comes_back_on_its_port_and_is_given_up_after_three_times() {
    let folder = TempDir::new().unwrap();
    write_app(folder.path(), &[("sweep", on_clock())], json!({}), "");
    let host = Host::start(App::read(folder.path()), &[]);
    host.ready();
    for starts in [2, 3] {
        host.kill();
        until("it is started again", || host.starts() == starts);
        host.ready();
    }
    host.kill();
    until("it is given up", || host.verdict() == Some(Verdict::Down));
    assert!(host.is_over());
}

#[test]
fn a_wrong_app_is_named_and_ends_it() {
    let folder = TempDir::new().unwrap();
    write_app(
        folder.path(),
        &[("train", on_queue("trains", "binary"))],
        json!({}),
        "",
    );
    let run = |port: &str| {
        let output = std::process::Command::new(binary())
            .args(["azure", "handle"])
            .current_dir(folder.path())
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let told = run(&free_port().to_string());
    assert!(
        told.contains("train/function.json: queueName is 'trains'"),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(run("x").contains("FUNCTIONS_CUSTOMHANDLER_PORT is 'x'"));
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits for something, half a minute at most.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "not in time: {what}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}
