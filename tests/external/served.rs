//! A server in Python that stands for an HTTP function, or reads queues.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use crate::support::septet::Workplace;

/// What a function is given: the invocation as `call`, the request as `self`.
const SERVER: &str = r#"
import http.server, json, sys, time, urllib.request
COUNT = [0]
class Function(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def say(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        COUNT[0] += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        call = json.loads(body)
        good = propose(call)
        function(self, call, good, body)
    def do_GET(self):
        answer(self)
def fetch(url):
    return urllib.request.urlopen(url).read()
def put(url, data):
    request = urllib.request.Request(url, data=data, method="PUT")
    return json.load(urllib.request.urlopen(request))
def propose(call):
    bundle = next(i for i in call["inputs"] if i["name"] == "bundle")
    pinned = call["aliases"][0]
    return {"proposals": [{"model": pinned["model"], "bundle": bundle["digest"], "summary": {},
            "change": {"alias": pinned["alias"], "expected": None, "reason": "x"}}]}
def dump(value):
    return json.dumps(value).encode()
def answer(self):
    self.say(404)
"#;

/// A server, ended with the value.
pub(super) struct Served {
    child: Child,
    pub(super) url: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    /// Begins a server whose function is this.
    pub(super) fn new(here: &Workplace, function: &str) -> Self {
        let end = "server = http.server.ThreadingHTTPServer((\"127.0.0.1\", 0), Function)\n\
                   print(server.server_port, flush=True)\nserver.serve_forever()\n";
        let script = here.write("server.py", format!("{SERVER}\n{function}\n{end}"));
        let mut child = Command::new("python3")
            .arg(script)
            .env("PYTHONPATH", package())
            .stdout(Stdio::piped())
            // Clients that go away make it complain.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        Self {
            child,
            url: format!("http://127.0.0.1:{}/deploy", line.trim()),
        }
    }
}

/// Where the Python package is.
pub(super) fn package() -> String {
    format!("{}/../python", env!("CARGO_MANIFEST_DIR"))
}
