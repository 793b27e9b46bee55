//! A prediction on the real Spin and by `septet serve`: the same machine, model, rows and load.
//!
//! `cargo bench --bench spin` (about two minutes). It needs `spin` on the PATH, or its place in
//! `SEPTET_TEST_SPIN`, and a machine that does nothing else. `SEPTET_BENCH_SECONDS=2` makes it shorter.
//!
//! Spin runs each request in an instance of its own and reads the model for it; `septet serve` keeps
//! the instance that has read it. Read the ratios, not the figures.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

mod connection;

use connection::{Connection, Result};

macro_rules! shared {
    ($($(#[$path:meta])* $name:ident)*) => {$(
        #[allow(
            dead_code,
            missing_docs,
            unreachable_pub,
            clippy::expect_used,
            clippy::indexing_slicing,
            clippy::panic,
            clippy::unwrap_used,
            reason = "it is shared with tests"
        )]
        $(#[$path])*
        mod $name;
    )*};
}

shared! {
    #[path = "../tests/serve/client.rs"] client
    #[path = "../tests/support/spin.rs"] spin
}

/// As the tests call it.
mod serve {
    pub(crate) use super::client;
}

use spin::{App, Asked as _, Project};

/// How long each host is measured with as many clients, in slices that take turns: what else the
/// machine does then meets both.
const SECONDS: u64 = 12;
const SLICES: u32 = 4;

/// Clients at once.
const CLIENTS: [usize; 2] = [1, 4];

/// Answers before anything counts.
const WARM: usize = 50;

/// A run takes no longer.
const RUN: Duration = Duration::from_mins(3);

/// Whom both ask.
const MODEL: &str = "penguins";

/// A penguin: a column's name, type and value.
fn penguin() -> [(&'static str, &'static str, Value); 6] {
    [
        ("island", "BYTES", json!("Torgersen")),
        ("bill_length_mm", "FP64", json!(39.1)),
        ("bill_depth_mm", "FP64", json!(18.7)),
        ("flipper_length_mm", "INT64", json!(181)),
        ("body_mass_g", "INT64", json!(3750)),
        ("sex", "BYTES", json!("male")),
    ]
}

/// As `septet serve` is asked.
fn record() -> Value {
    let cells = penguin().map(|(name, _, value)| (name.to_owned(), value));
    json!({"records": [serde_json::Map::from_iter(cells)]})
}

/// The same by the Open Inference Protocol.
fn tensors() -> Value {
    let inputs = penguin().map(|(name, datatype, value)| {
        json!({"name": name, "shape": [1], "datatype": datatype, "data": [value]})
    });
    json!({ "inputs": inputs })
}

fn post(path: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A process that is ended with the value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// What is measured: a host, and how it is asked for a prediction.
struct Host {
    address: SocketAddr,
    request: Vec<u8>,
    /// How long each answer took, for each number of clients.
    taken: [Vec<Duration>; CLIENTS.len()],
    /// Seconds of measuring, likewise.
    seconds: [f64; CLIENTS.len()],
}

impl Host {
    fn new(address: SocketAddr, request: Vec<u8>) -> Self {
        Self {
            address,
            request,
            taken: Default::default(),
            seconds: Default::default(),
        }
    }

    /// One slice of as many clients, each of which asks as soon as it was answered.
    fn measure(&mut self, row: usize, clients: usize, most: Duration) -> Result<()> {
        let begun = Instant::now();
        let taken = thread::scope(|scope| {
            let asked: Vec<_> = (0..clients)
                .map(|_| scope.spawn(|| self.ask_until(begun + most)))
                .collect();
            let mut taken = Vec::new();
            for client in asked {
                taken.extend(client.join().map_err(|_| "a client broke")??);
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(taken)
        })?;
        let missing = || "as many rows as numbers of clients";
        *self.seconds.get_mut(row).ok_or_else(missing)? += begun.elapsed().as_secs_f64();
        self.taken.get_mut(row).ok_or_else(missing)?.extend(taken);
        Ok(())
    }

    fn ask_until(&self, until: Instant) -> Result<Vec<Duration>> {
        let mut connection = Connection::new(self.address)?;
        let mut taken = Vec::new();
        while Instant::now() < until {
            let begun = Instant::now();
            let (status, body) = connection.ask(&self.request)?;
            taken.push(begun.elapsed());
            if status != 200 || !body.windows(6).any(|part| part == b"Adelie") {
                return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
            }
        }
        Ok(taken)
    }

    /// Answers a second, and milliseconds that the middle and the 99th of a hundred took.
    fn figures(&self, row: usize) -> Option<[f64; 3]> {
        let mut taken = self.taken.get(row)?.clone();
        taken.sort();
        let at = |share: usize| Some(taken.get(taken.len() * share / 100)?.as_secs_f64() * 1e3);
        Some([
            taken.len() as f64 / self.seconds.get(row)?,
            at(50)?,
            at(99)?,
        ])
    }
}

/// Trains the model on Spin.
fn trained(app: &App, data: &[u8]) -> Result<()> {
    let artifact = app.put("/blobs", "text/csv", data).json(201);
    let part = json!({
        "name": "penguins.csv", "digest": artifact.get("digest"), "media_type": "text/csv",
    });
    let wish = json!({
        "kind": "train", "model": MODEL, "data": [part],
        "parameters": {
            "preprocess": {"target": "species"},
            "evaluate": {"model": MODEL, "alias": "champion"},
            "deploy": {"model": MODEL, "alias": "champion"},
        },
    });
    let reply = app.post("/runs", &wish);
    let status = reply.status;
    let told = reply.json(status);
    let run = told
        .get("run")
        .and_then(Value::as_str)
        .ok_or_else(|| told.to_string())?;
    let ends = ["done", "rejected", "failed", "cancelled"];
    let over = |run: &Value| ends.contains(&run["status"].as_str().unwrap_or_default());
    let told = app.until(&format!("/runs/{run}"), RUN, over);
    if told.get("status").and_then(Value::as_str) != Some("done") {
        return Err(told.to_string().into());
    }
    Ok(())
}

fn septet(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_septet"));
    command.args(arguments).current_dir(folder);
    command
}

/// `septet serve` with the same model.
fn served(folder: &Path, data: &Path) -> Result<(Process, SocketAddr)> {
    fs::write(
        folder.join("septet.toml"),
        "[http]\nlisten = \"127.0.0.1:0\"\n",
    )?;
    let data = data.to_str().ok_or("the demo's path is no text")?;
    let arguments = ["run", data, "--target", "species", "--name", MODEL];
    let run = septet(folder, &arguments).output()?;
    if !run.status.success() {
        return Err(String::from_utf8_lossy(&run.stderr).into());
    }
    let mut command = septet(folder, &["serve"]);
    let mut process = Process(command.stdout(Stdio::piped()).spawn()?);
    let stdout = process.0.stdout.take().ok_or("no standard output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let address = line.split("http://").nth(1).ok_or_else(|| line.clone())?;
    let end = address.find(|letter: char| !letter.is_ascii_digit() && !".:".contains(letter));
    let address = address
        .get(..end.unwrap_or(address.len()))
        .unwrap_or_default();
    Ok((process, address.trim_end_matches(['.', ':']).parse()?))
}

fn main() -> Result<()> {
    let seconds = std::env::var("SEPTET_BENCH_SECONDS").ok();
    let seconds = seconds
        .and_then(|text| text.parse().ok())
        .unwrap_or(SECONDS);
    let slice = Duration::from_secs(seconds) / SLICES;

    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let data = workspace.join("host/demo/penguins.csv");
    let folder = tempfile::tempdir()?;
    let manifest = fs::read_to_string(workspace.join("spin.toml"))?;
    let Some(project) = Project::new(folder.path(), &manifest) else {
        return Err("spin is neither on the PATH nor named by SEPTET_TEST_SPIN".into());
    };
    let out = project.path("target/spin");
    let composed = septet(folder.path(), &["spin", "compose", "--out"])
        .arg(out)
        .output()?;
    if !composed.status.success() {
        return Err(String::from_utf8_lossy(&composed.stderr).into());
    }
    let app = project.up("spin.toml", &folder.path().join("state"), &[]);
    trained(&app, &fs::read(&data)?)?;
    let (_process, address) = served(folder.path(), &data)?;
    let mut hosts = [
        Host::new(
            app.address,
            post(&format!("/v2/models/{MODEL}/infer"), &tensors()),
        ),
        Host::new(address, post(&format!("/predict/{MODEL}"), &record())),
    ];

    for host in &hosts {
        let mut connection = Connection::new(host.address)?;
        for _ in 0..WARM {
            connection.ask(&host.request)?;
        }
    }
    println!("a prediction of one record:");
    for (row, clients) in CLIENTS.into_iter().enumerate() {
        for _ in 0..SLICES {
            for host in &mut hosts {
                host.measure(row, clients, slice)?;
            }
        }
        let [spin, septet] = &hosts;
        let (spin, septet) = (spin.figures(row), septet.figures(row));
        let (spin, septet) = spin.zip(septet).ok_or("nothing was measured")?;
        for (name, [rate, middle, most]) in [("Spin", spin), ("septet serve", septet)] {
            println!(
                "  {clients} clients, {name:12}  {rate:8.0} a second, {middle:7.2} ms, 99 of 100 in {most:7.2} ms"
            );
        }
        println!(
            "  {clients} clients, septet serve to Spin: {:.1} times as many, 99 of 100 in {:.2} of the time",
            septet[0] / spin[0],
            septet[2] / spin[2],
        );
    }
    Ok(())
}
