//! HTTP functions in a stage's place, good and bad.

use std::thread;

use super::served::Served;
use crate::support::septet::{Ran, Workplace, demo};

fn run(here: &Workplace) -> Ran {
    let data = demo("penguins.csv");
    here.septet(&["run", data.to_str().unwrap(), "--target", "sex", "--json"])
}

fn settings(here: &Workplace, url: &str, more: &str, rest: &str) {
    let text = format!("[deploy]\nexternal = {{ http = \"{url}\"{more} }}\n{rest}");
    here.write("septet.toml", text);
}

/// What `function` answers comes to nothing, with this in the run's line.
#[track_caller]
fn fails(function: &str, why: &str) {
    let here = Workplace::new();
    let served = Served::new(&here, function);
    // What hangs is not waited for; what only takes its time on a busy machine is.
    let wall = if why.contains("wall_seconds") { 2 } else { 100 };
    let limits = format!("[limits]\nwall_seconds = {wall}\n");
    settings(&here, &served.url, "", &limits);
    let ran = run(&here);
    assert_ne!(ran.code, Some(0), "{ran:?}");
    let line = ran.stderr.trim_end().lines().last().unwrap_or_default();
    assert!(line.contains(why), "{line}");
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn a_function_takes_a_stages_place() {
    let here = Workplace::new();
    let function = r#"
def function(self, call, good, body):
    assert self.headers["x-functions-key"] == "secret-key-of-the-function"
    assert self.headers["Idempotency-Key"].startswith(call["run"] + "/deploy/0/")
    bundle = next(i for i in call["inputs"] if i["name"] == "bundle")
    data = fetch(bundle["url"])
    assert data[:8] == b"SEPTETM1" and len(data) == bundle["size"]
    for wrong in [bundle["url"][:-1] + "9", bundle["url"].replace("/inputs", "x/inputs"), call["outputs"]]:
        try:
            fetch(wrong)
            raise SystemExit("it was let in")
        except urllib.error.HTTPError as error:
            assert error.code in (404, 405), error
    card = put(call["outputs"] + "/card", b"A card")
    good["outputs"] = [
        {"name": "card", "media-type": "text/markdown", "digest": card["digest"]},
        {"name": "more", "media-type": "text/plain", "data": "aGk="},
    ]
    good["notes"] = [bundle["url"]]
    self.say(200, dump(good))
"#;
    let served = Served::new(&here, function);
    let key = here.write("key", "secret-key-of-the-function\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&key, mode).unwrap();
    let more = ", key_file = \"key\", header = \"x-functions-key\", version = \"1\"";
    settings(&here, &served.url, more, "");
    let report = run(&here).json();
    assert_eq!(report["deployed"]["alias"], "champion", "{report}");
    let stages = report["stages"].as_array().unwrap();
    let notes = stages[4]["notes"].as_array().unwrap();
    assert!(
        notes[0].as_str().unwrap().contains(&served.url),
        "{notes:?}"
    );
    // The address is gone with the call.
    let address = notes[1].as_str().unwrap();
    let port = address.split(['/', ':']).nth(4).unwrap();
    assert!(std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_err());
    let told = here.septet(&["grants"]).ok().stdout;
    assert!(
        told.contains("not sandboxed") && !told.contains("secret-key"),
        "{told}"
    );
}

#[test]
fn what_is_not_done_yet_is_asked_again() {
    let here = Workplace::new();
    let function = r#"
POLLS = [0]
LAST = {}
def function(self, call, good, body):
    LAST["good"] = good
    self.say(202, Location="/status/1", Retry_After="0")
def answer(self):
    assert self.path == "/status/1"
    POLLS[0] += 1
    if POLLS[0] < 4:
        return self.say(202, Retry_After="0")
    self.say(200, dump(LAST["good"]))
"#;
    let served = Served::new(&here, function);
    settings(&here, &served.url, "", "");
    assert_eq!(run(&here).json()["deployed"]["alias"], "champion");
}

#[test]
fn what_says_when_is_asked_again_then() {
    for (status, body) in [
        (429, "b'busy'"),
        (503, "dump({'retry': {'milliseconds': 10}})"),
    ] {
        let here = Workplace::new();
        let function = format!(
            "def function(self, call, good, body):\n    if call['attempt'] < 3:\n        \
             return self.say({status}, {body}, Retry_After='0')\n    self.say(200, dump(good))\n"
        );
        let served = Served::new(&here, &function);
        settings(&here, &served.url, "", "");
        assert_eq!(run(&here).json()["deployed"]["alias"], "champion");
    }
}

#[test]
fn every_wrong_answer_has_its_end() {
    let says = |what: &str| format!("def function(self, call, good, body):\n    {what}\n");
    let cases = [
        ("self.say(422, dump({'rejected': 'no gold'}))", "no gold"),
        ("self.say(422, b'plain words')", "plain words"),
        (
            "self.say(500, b'<html>\\x1b[2J oops</html>')",
            "it answered 500",
        ),
        ("self.say(404)", "it answered 404"),
        (
            "self.say(302, Location='/elsewhere')",
            "redirects are not followed",
        ),
        ("self.say(202)", "without saying where"),
        (
            "self.say(202, Location='http://127.0.0.2:9/x')",
            "must be of its own host",
        ),
        ("self.say(200, b'{')", "is no outcome"),
        ("self.say(200, b'')", "is no outcome"),
        (
            "self.say(200, dump({'failed': 'x'}))",
            "but its outcome is an error",
        ),
        (
            "self.say(200, dump({'outputs': [{'name': 'a', 'digest': '0' * 64}]}))",
            "neither of an input nor of what was put",
        ),
        (
            "self.say(200, dump({'outputs': [{'name': 'a', 'path': '/etc/passwd'}]}))",
            "a path is for commands",
        ),
        ("time.sleep(30)", "limit wall_seconds allows 2"),
        (
            "self.send_response(200); self.end_headers()\n    \
             [self.wfile.write(b' ') or time.sleep(0.1) for _ in range(300)]",
            "limit wall_seconds allows 2",
        ),
        (
            "self.send_response(200); self.send_header('Content-Length', '99'); self.end_headers(); \
             self.wfile.write(b'{'); self.wfile.flush(); self.close_connection = True",
            "cut off",
        ),
        ("self.connection.shutdown(2)", "can't be reached"),
        (
            "self.say(200, b' ' * (140 << 20))",
            "more than 134217728 bytes",
        ),
    ];
    // Each is tried again before it is given up: side by side they take a fraction of the time.
    for some in cases.chunks(6) {
        thread::scope(|scope| {
            for (what, why) in some {
                scope.spawn(|| fails(&says(what), why));
            }
        });
    }
    let here = Workplace::new();
    settings(&here, "http://127.0.0.1:1/deploy", "", "");
    let ran = run(&here);
    assert!(ran.stderr.contains("can't be reached"), "{}", ran.stderr);
}

#[test]
fn settings_that_are_not_safe_are_refused() {
    let here = Workplace::new();
    for (url, more, why) in [
        ("http://example.com/x", "", "must be https"),
        ("ftp://example.com/x", "", "must be https"),
        ("nonsense", "", "no address"),
        (
            "https://user:word@example.com/x",
            "",
            "holds a name or password",
        ),
        ("https://example.com/x", ", key_file = \"none\"", "key_file"),
        (
            "https://example.com/x",
            ", files = [\"a\"]",
            "are for a command",
        ),
        (
            "https://example.com/x",
            ", queue = \"a\"",
            "names a command, or http, or a queue",
        ),
    ] {
        settings(&here, url, more, "");
        let refused = run(&here).refused();
        assert!(refused.contains(why), "{refused}");
        assert!(!refused.contains("user:word"), "{refused}");
    }
    for (door, why) in [
        ("listen = \"0.0.0.0:0\"", "is reached by others"),
        ("listen = \"here\"", "give an address and a port"),
        ("url = \"here\"", "no address"),
    ] {
        settings(
            &here,
            "https://example.com/x",
            "",
            &format!("[external]\n{door}\n"),
        );
        let refused = run(&here).refused();
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn the_python_package_answers() {
    let here = Workplace::new();
    let function = r#"
import septet, septet.http
@septet.stage
def deploy(call):
    assert call.bytes("bundle")[:8] == b"SEPTETM1"
    call.write("card", b"A card", "text/markdown")
    call.propose()
def function(self, call, good, body):
    status, headers, body = septet.http.handle(body)
    self.say(status, body, **headers)
"#;
    let served = Served::new(&here, function);
    settings(&here, &served.url, "", "");
    let report = run(&here).json();
    assert_eq!(report["deployed"]["alias"], "champion", "{report}");
}
