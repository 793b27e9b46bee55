//! What the Functions host waits for: an invocation of `septet azure handle` against an echo and
//! against Python doing the same work, and how long each takes to be there.
//!
//! `cargo bench --bench handler` (about two minutes, and one more at first for Python's packages). It
//! needs a machine that does nothing else.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use hyper::{Response, body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

mod connection;
mod python;

use connection::{Connection, Result};

/// How long each figure is measured.
const MEASURED: Duration = Duration::from_secs(5);

/// Starts that a figure is the middle of.
const STARTS: usize = 7;

/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// A penguin, as a client sends it.
fn records() -> Value {
    json!({"records": [{
        "species": "Adelie", "island": "Torgersen", "bill_length_mm": 39.1, "bill_depth_mm": 18.7,
        "flipper_length_mm": 181, "body_mass_g": 3750,
    }]})
}

/// The invocation that the Functions host makes of it.
fn invocation() -> String {
    json!({
        "Data": {"req": {
            "Url": "http://app.example/predict/penguins", "Method": "POST", "Query": {},
            "Headers": {"Content-Type": ["application/json"]}, "Params": {"model": "penguins"},
            "Identities": [], "Body": records().to_string(),
        }},
        "Metadata": {"sys": {"MethodName": "predict", "UtcNow": "2026-01-01T00:00:00Z", "RandGuid": "x"}},
    })
    .to_string()
}

/// A process that is ended with the value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// As the Functions host sends it, but with a length: it is known here.
fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json; charset=utf-8\r\n\
         x-azure-functions-invocationid: 11111111-2222-3333-4444-555555555555\r\n\
         user-agent: Azure-Functions-Host/4.1037\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

const ALIVE: &[u8] = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";

/// What is answered is a prediction.
fn check(answer: &(u16, Vec<u8>)) -> Result<()> {
    let (status, body) = answer;
    let told: Value = serde_json::from_slice(body).unwrap_or_default();
    let inner = told.pointer("/Outputs/res/body").and_then(Value::as_str);
    if *status == 200 && inner.is_some_and(|inner| inner.contains("female")) {
        return Ok(());
    }
    Err(format!("{status}: {}", String::from_utf8_lossy(body)).into())
}

/// Invocations a second over some connections, and microseconds of one.
fn rate(address: SocketAddr, path: &str, connections: usize) -> Result<(f64, f64)> {
    let request = post(path, &invocation());
    let begun = Instant::now();
    let until = begun + MEASURED;
    let workers: Vec<_> = (0..connections)
        .map(|_| {
            let request = request.clone();
            thread::spawn(move || -> Result<u64> {
                let mut connection = Connection::new(address)?;
                let mut count = 0;
                while Instant::now() < until {
                    let answer = connection.ask(&request)?;
                    if count == 0 {
                        check(&answer)?;
                    }
                    count += 1;
                }
                Ok(count)
            })
        })
        .collect();
    let mut all = 0;
    for worker in workers {
        all += worker.join().map_err(|_| "a client broke")??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let rate = all as f64 / seconds;
    Ok((rate, connections as f64 * 1e6 / rate))
}

/// An echo: it reads an invocation and answers one that is as long as a handler's.
fn echo() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let body = json!({"Outputs": {"res": {"statusCode": 200, "body": json!({
        "model": "penguins", "version": 1,
        "predictions": [{"prediction": "male", "probabilities": {"male": 0.875, "female": 0.125}}],
    }).to_string()}}, "Logs": [], "ReturnValue": null});
    let body = Bytes::from(body.to_string());
    thread::spawn(move || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let body = body.clone();
                let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                    let body = body.clone();
                    async move {
                        http_body_util::BodyExt::collect(request.into_body()).await?;
                        let answer = http_body_util::Full::new(body);
                        Ok::<_, hyper::Error>(Response::new(answer))
                    }
                });
                let io = TokioIo::new(stream);
                tokio::spawn(http1::Builder::new().serve_connection(io, service));
            }
        })
    });
    Ok(address)
}

/// A port that was free a moment ago.
fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A folder as the Functions host has it, with a store beside it in which there is a model.
struct App(PathBuf);

impl App {
    fn new(folder: &Path) -> Result<Self> {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/penguins.csv");
        fs::copy(&data, folder.join("penguins.csv"))?;
        let run = Command::new(env!("CARGO_BIN_EXE_septet"))
            .args(["run", "penguins.csv", "--target", "sex"])
            .args(["--store", "store", "--name", "penguins"])
            .current_dir(folder)
            .output()?;
        if !run.status.success() {
            return Err(String::from_utf8_lossy(&run.stderr).into_owned().into());
        }
        let host = json!({"version": "2.0", "extensions": {"http": {"routePrefix": ""}},
            "customHandler": {"description": {"defaultExecutablePath": "septet", "arguments": ["azure", "handle"]}}});
        let function = json!({"bindings": [
            {"type": "httpTrigger", "direction": "in", "name": "req", "route": "predict/{model}", "methods": ["post"]},
            {"type": "http", "direction": "out", "name": "res"}]});
        fs::create_dir_all(folder.join("predict"))?;
        fs::write(folder.join("host.json"), host.to_string())?;
        fs::write(folder.join("predict/function.json"), function.to_string())?;
        Ok(Self(folder.to_owned()))
    }

    fn start(&self, port: u16) -> Result<Process> {
        let child = Command::new(env!("CARGO_BIN_EXE_septet"))
            .args(["azure", "handle", "--store", "store"])
            .current_dir(&self.0)
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("FUNCTIONS_APP_ROOT_PATH", &self.0)
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Process(child))
    }
}

/// Asks until somebody answers.
fn answered(address: SocketAddr, request: &[u8]) -> Result<(u16, Vec<u8>)> {
    let until = Instant::now() + PATIENCE;
    loop {
        let asked = Connection::new(address).and_then(|mut there| there.ask(request));
        match asked {
            Ok(answer) => return Ok(answer),
            Err(error) if Instant::now() > until => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Milliseconds from the start to the first answer, and to the first prediction.
fn start(begin: impl Fn(u16) -> Result<Process>, path: &str) -> Result<(f64, f64)> {
    let (mut there, mut predicted) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let address = free()?;
        let begun = Instant::now();
        let _process = begin(address.port())?;
        answered(address, ALIVE)?;
        there.push(begun.elapsed());
        check(&answered(address, &post(path, &invocation()))?)?;
        predicted.push(begun.elapsed());
    }
    Ok((middle(there), middle(predicted)))
}

fn middle(mut taken: Vec<Duration>) -> f64 {
    taken.sort();
    let middle = taken.get(taken.len() / 2).copied().unwrap_or_default();
    middle.as_secs_f64() * 1e3
}

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let app = App::new(folder.path())?;
    let interpreter = python::environment("handler", "benches/handler-requirements.txt")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/handler.py");
    let python = |arguments: &[&str]| {
        let mut command = Command::new(&interpreter);
        command.arg(&script).args(arguments);
        command.current_dir(folder.path());
        command.stdout(Stdio::null());
        command
    };
    if !python(&["train", "penguins.csv", "."]).status()?.success() {
        return Err("Python's model can't be trained".into());
    }
    let python_serves = |port: u16| -> Result<Process> {
        let port = port.to_string();
        Ok(Process(python(&["serve", ".", &port]).spawn()?))
    };

    println!("an invocation that predicts one record:");
    let (handles, snakes) = (free()?, free()?);
    let _handler = app.start(handles.port())?;
    let _python = python_serves(snakes.port())?;
    check(&answered(handles, &post("/predict", &invocation()))?)?;
    check(&answered(snakes, &post("/predict", &invocation()))?)?;
    let echoes = echo()?;
    for connections in [1, 16] {
        let mut echoed = None;
        for (name, address) in [("echo", echoes), ("septet", handles), ("python", snakes)] {
            let (rate, each) = rate(address, "/predict", connections)?;
            let echoed = *echoed.get_or_insert(each);
            println!(
                "  {name:<7} {connections:>2} connections {rate:>9.0}/s {each:>9.0} µs each, {:>7.1} times the echo",
                each / echoed
            );
        }
    }

    println!("\nmilliseconds from the start (the middle of {STARTS}):");
    let (there, predicted) = start(|port| app.start(port), "/predict")?;
    println!("  septet  first answer to GET / {there:>7.0}, first prediction {predicted:>7.0}");
    let (there, predicted) = start(python_serves, "/predict")?;
    println!("  python  first answer to GET / {there:>7.0}, first prediction {predicted:>7.0}");
    let mut taken = Vec::new();
    for _ in 0..STARTS {
        let begun = Instant::now();
        if !python(&["once", ".", &records().to_string()])
            .status()?
            .success()
        {
            return Err("Python can't predict".into());
        }
        taken.push(begun.elapsed());
    }
    println!(
        "  python  without a server: imports, model, one prediction {:>7.0}",
        middle(taken)
    );
    Ok(())
}
