//! A real `septet serve` with a key over a store with a model, and what clients do to it.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use septet::contract::Digest;
use serde_json::{Value, json};

use crate::{
    serve::client::{Client, Reply},
    support::septet::{Workplace, demo},
};

/// What clients prove themselves with.
pub(crate) const KEY: &str = "0123456789abcdef-key";

/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// A folder whose store has a model `penguins`, and settings that are added to.
pub(crate) fn place(settings: &str) -> Workplace {
    let place = Workplace::new();
    place.write(
        "septet.toml",
        format!("{settings}\n[http]\nlisten = \"127.0.0.1:0\"\n"),
    );
    let data = demo("penguins.csv");
    let data = data.to_str().unwrap();
    let run = ["run", data, "--target", "species", "--name", "penguins"];
    place.septet(&run).ok();
    place
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) client: Client,
    _process: Running,
}

/// A process that is ended with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// Starts one over the place's store, with a key or without.
    pub(crate) fn start(place: &Workplace, key: Option<&str>) -> Self {
        let mut command: Command = place.command(&["serve"]);
        if let Some(key) = key {
            command.env("SEPTET_HTTP_KEY", key);
        }
        // It says a line for each call that a bad component fails: nobody reads a pipe meanwhile.
        let log = File::create(place.path("serve.log")).unwrap();
        command.stdout(Stdio::piped()).stderr(log);
        let mut process = Running(command.spawn().unwrap());
        let stdout = process.0.stdout.take().unwrap();
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).unwrap();
        let address: SocketAddr = address.split(' ').next().unwrap().parse().unwrap();
        Self {
            client: Client(address),
            _process: process,
        }
    }

    /// Sends a request with the key.
    pub(crate) fn send(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        let key = format!("Bearer {KEY}");
        self.client
            .send(method, path, &[("authorization", &key)], body)
    }

    /// Puts a component in the place of infer's, or tries it, and waits for its turn.
    pub(crate) fn put(&self, path: &str, component: &[u8]) -> Reply {
        let until = Instant::now() + PATIENCE;
        loop {
            let reply = self.send("PUT", path, component);
            if reply.status != 503 || Instant::now() > until {
                return reply;
            }
        }
    }

    /// Asks for predictions of these records; a key makes the request one of its own.
    pub(crate) fn predict(&self, records: &Value, key: Option<&str>) -> Reply {
        let bearer = format!("Bearer {KEY}");
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        let body = records.to_string();
        self.client
            .send("POST", "/predict/penguins", &headers, body.as_bytes())
    }

    /// What is known of infer.
    pub(crate) fn infer(&self) -> Value {
        self.send("GET", "/api/stages/infer", b"").json(200)
    }

    /// Looks at infer until it is so.
    #[track_caller]
    pub(crate) fn until(&self, so: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let infer = self.infer();
            if so(&infer) {
                return infer;
            }
            assert!(Instant::now() < until, "it never came to that: {infer}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// So many penguins, which no two calls give alike.
pub(crate) fn penguins(count: usize, seed: usize) -> Value {
    let islands = ["Biscoe", "Dream", "Torgersen"];
    let penguin = |n: usize| {
        let island = islands[(seed + n) % 3];
        json!({
            "island": island, "sex": Value::Null,
            "bill_length_mm": 35.0 + ((seed * 7 + n * 3) % 200) as f64 / 10.0,
            "bill_depth_mm": 14.0 + ((seed + n) % 60) as f64 / 10.0,
            "flipper_length_mm": 180 + (seed + n) % 50, "body_mass_g": 3000 + (seed * 13) % 3000,
        })
    };
    Value::Array((0..count).map(penguin).collect())
}

/// The component that a 200 names, and its predictions.
#[track_caller]
pub(crate) fn answered(reply: &Reply) -> (String, Value) {
    let mut answer = reply.json(200);
    let component = reply.header("septet-component").unwrap().to_owned();
    (component, answer["predictions"].take())
}

/// The digest as it is told.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}
