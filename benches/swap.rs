//! Components that are swapped all the time, under constant load: what that costs those who ask.
//!
//! `cargo bench --bench swap` (two and a half minutes; needs a machine that does nothing else, and fetches
//! Debian's minisign at first). `SEPTET_BENCH_SECONDS=10` makes each half shorter.
//!
//! A `septet serve` that takes signed components only answers some clients that ask at a constant rate.
//! Half the time nothing is swapped; then a component is sent every 100 ms, good, different, of another
//! world, trapping, unsigned and truncated in turn. Every answer is held against what its component
//! answered when nothing else happened.

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use minisign::Signer;
use septet::contract::{Digest, Stage};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How long each half is measured, in slices that take turns: what else the machine does then meets both.
const SECONDS: u64 = 60;
const SLICES: u64 = 4;

/// Clients, and the time from one request of a client to its next.
const CLIENTS: usize = 4;
const EVERY: Duration = Duration::from_millis(10);

/// The time from one swap to the next.
const SWAP: Duration = Duration::from_millis(100);

/// Different requests.
const REQUESTS: usize = 16;

/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_mins(2);

const KEY: &str = "0123456789abcdef-bench";

/// What is tolerated.
const MOST: f64 = 1.3;

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
    #[path = "../host/build/guests.rs"] guests
    #[path = "../tests/hosts/compose.rs"] compose
    #[path = "../tests/hosts/oracles.rs"] oracles
    #[path = "../tests/support/guests.rs"] fixtures
    #[path = "../tests/swap/minisign.rs"] minisign
    #[path = "../tests/swap/variants.rs"] variants
}

/// As the tests call them.
mod hosts {
    pub(crate) use super::{compose, oracles};
}
mod support {
    pub(crate) use super::fixtures as guests;
}

/// A process that is ended with the value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// An answer.
struct Reply {
    status: u16,
    component: String,
    body: Value,
}

/// A connection that is kept.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn new(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request as it is, and reads the answer.
    fn ask(&mut self, request: &[u8]) -> Result<Reply> {
        self.0.get_mut().write_all(request)?;
        let (mut status, mut length, mut component) = (None, 0, String::new());
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line)? == 0 {
                return Err("the connection was closed".into());
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if status.is_none() {
                status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
            } else if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse()?;
            } else if let Some(value) = line.strip_prefix("septet-component: ") {
                value.clone_into(&mut component);
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok(Reply {
            status: status.ok_or("an answer without a status")?,
            component,
            body: serde_json::from_slice(&body)?,
        })
    }
}

/// A request with the key.
fn request(method: &str, path: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {KEY}\r\n{more}\
         content-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A penguin or two, no two times the same.
fn predict(number: usize) -> Vec<u8> {
    let penguin = |n: usize| {
        json!({
            "island": "Biscoe", "sex": null, "bill_length_mm": 35.0 + (n * 7 % 200) as f64 / 10.0,
            "bill_depth_mm": 14.0 + (n % 60) as f64 / 10.0, "flipper_length_mm": 180 + n % 50,
            "body_mass_g": 3000 + n * 13 % 3000,
        })
    };
    let records: Vec<Value> = (0..=number % 2).map(|n| penguin(number * 31 + n)).collect();
    let body = Value::Array(records).to_string();
    let json = "content-type: application/json\r\n";
    request("POST", "/predict/penguins", json, body.as_bytes())
}

/// What is sent to be swapped in, and how that must end.
struct Offer {
    name: &'static str,
    request: Vec<u8>,
    /// The step that refuses it; none where it is taken.
    refused: Option<&'static str>,
    digest: String,
}

impl Offer {
    fn new(
        name: &'static str,
        component: &[u8],
        (signer, folder): (Option<&Signer>, &Path),
        refused: Option<&'static str>,
    ) -> Result<Self> {
        let mut header = String::new();
        if let Some(signer) = signer {
            let file = folder.join(format!("{name}.wasm"));
            fs::write(&file, component)?;
            let text = signer.sign(&file, false, name);
            header = format!("septet-signature: {}\r\n", STANDARD.encode(text));
        }
        Ok(Self {
            name,
            request: request("PUT", "/api/stages/infer", &header, component),
            refused,
            digest: Digest::of(component).to_string(),
        })
    }

    fn send(&self, connection: &mut Connection) -> Result<()> {
        let reply = connection.ask(&self.request)?;
        let step = reply.body.get("step").and_then(Value::as_str);
        let status = if self.refused.is_some() { 422 } else { 200 };
        if reply.status != status || step != self.refused {
            return Err(format!("{}: {}: {}", self.name, reply.status, reply.body).into());
        }
        Ok(())
    }
}

/// What each component answers to each request.
type Expected = BTreeMap<String, Vec<Value>>;

/// Learns what serves now, which must be this.
fn learn(connection: &mut Connection, digest: &str, expected: &mut Expected) -> Result<()> {
    let mut answers = Vec::new();
    for number in 0..REQUESTS {
        let reply = connection.ask(&predict(number))?;
        if reply.status != 200 || reply.component != digest {
            return Err(format!("{} by {}: {}", reply.status, reply.component, reply.body).into());
        }
        answers.push(reply.body);
    }
    expected.insert(digest.to_owned(), answers);
    Ok(())
}

/// What a client saw.
#[derive(Default)]
struct Seen {
    times: Vec<Duration>,
    failed: usize,
    mixed: usize,
    first: Option<String>,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.failed += other.failed;
        self.mixed += other.mixed;
        self.first = self.first.take().or(other.first);
    }

    /// The time that this share of the requests did not take longer than.
    fn quantile(&mut self, share: f64) -> Duration {
        self.times.sort_unstable();
        let place = (share * self.times.len() as f64).ceil() as usize;
        let time = self.times.get(place.saturating_sub(1));
        time.copied().unwrap_or_default()
    }
}

/// Asks at a constant rate. A time counts from when it was due: who waits for the answer before does
/// not make the next one look fast.
fn client(address: SocketAddr, number: usize, expected: &Expected, until: Instant) -> Seen {
    let mut seen = Seen::default();
    let Ok(mut connection) = Connection::new(address) else {
        seen.failed += 1;
        return seen;
    };
    let requests: Vec<Vec<u8>> = (0..REQUESTS).map(predict).collect();
    let stagger = EVERY * number as u32 / CLIENTS as u32;
    let mut due = Instant::now() + stagger;
    let mut at = number;
    while due < until {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        at = (at + 1) % REQUESTS;
        let asked = requests.get(at).map_or(&[][..], Vec::as_slice);
        match connection.ask(asked) {
            Ok(reply) if reply.status == 200 => {
                seen.times.push(due.elapsed());
                let own = expected.get(&reply.component);
                if own.and_then(|answers| answers.get(at)) != Some(&reply.body) {
                    seen.mixed += 1;
                    seen.first.get_or_insert(reply.body.to_string());
                }
            }
            Ok(reply) => {
                seen.failed += 1;
                seen.first.get_or_insert(reply.body.to_string());
            }
            Err(error) => {
                seen.failed += 1;
                seen.first.get_or_insert(error.to_string());
                if let Ok(again) = Connection::new(address) {
                    connection = again;
                }
            }
        }
        due += EVERY;
    }
    seen
}

/// Puts this thread behind all others. Who sends components stands for another machine, and must take
/// no processor from the clients that are measured.
fn behind() {
    #[cfg(target_os = "linux")]
    {
        let none = libc::sched_param { sched_priority: 0 };
        // SAFETY: the call only reads the structure, which lives on this stack.
        let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const none) };
    }
}

/// One slice: all clients, and swaps beside them if there are any.
fn slice(
    address: SocketAddr,
    expected: &Expected,
    (offers, from): (&[Offer], usize),
    length: Duration,
) -> Result<(Seen, Vec<Duration>)> {
    let until = Instant::now() + length;
    let going = AtomicBool::new(true);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || client(address, number, expected, until)))
            .collect();
        let swapping = scope.spawn(|| -> Result<Vec<Duration>> {
            behind();
            let (mut took, mut due) = (Vec::new(), Instant::now());
            let mut connection = Connection::new(address)?;
            let mut offers = offers.iter().cycle().skip(from);
            while going.load(Ordering::Relaxed) {
                let Some(offer) = offers.next() else { break };
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let begun = Instant::now();
                offer.send(&mut connection)?;
                took.push(begun.elapsed());
                // The next one is due in time, or at once.
                due = (due + SWAP).max(Instant::now());
            }
            Ok(took)
        });
        let mut seen = Seen::default();
        for client in clients {
            seen.add(client.join().map_err(|_| "a client broke")?);
        }
        going.store(false, Ordering::Relaxed);
        let took = swapping.join().map_err(|_| "the swaps broke")??;
        Ok((seen, took))
    })
}

fn serve(folder: &Path, signer: &Signer) -> Result<(Process, SocketAddr)> {
    let settings = format!(
        "[trust]\nkeys = [\"{}\"]\nrequire-signature = true\n[http]\nlisten = \"127.0.0.1:0\"\n",
        signer.key()
    );
    fs::write(folder.join("septet.toml"), settings)?;
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/penguins.csv");
    fs::copy(data, folder.join("penguins.csv"))?;
    let mut septet = Command::new(env!("CARGO_BIN_EXE_septet"));
    septet.current_dir(folder).args(["run", "penguins.csv"]);
    let trained = septet.args(["--target", "species"]).output()?;
    if !trained.status.success() {
        return Err(String::from_utf8_lossy(&trained.stderr).into());
    }
    let mut septet = Command::new(env!("CARGO_BIN_EXE_septet"));
    septet
        .current_dir(folder)
        .arg("serve")
        .env("SEPTET_HTTP_KEY", KEY);
    // It says a line a refusal: nobody is to read that while it is measured.
    let log = fs::File::create(folder.join("serve.log"))?;
    let mut child = septet.stdout(Stdio::piped()).stderr(log).spawn()?;
    let stdout = child.stdout.take().ok_or("no output")?;
    let process = Process(child);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let address = line
        .split("http://")
        .nth(1)
        .and_then(|at| at.split(' ').next());
    Ok((process, address.ok_or("it does not serve")?.parse()?))
}

fn main() -> Result<()> {
    let seconds = std::env::var("SEPTET_BENCH_SECONDS");
    let seconds = seconds.ok().and_then(|text| text.parse().ok());
    let length = Duration::from_secs(seconds.unwrap_or(SECONDS)) / SLICES as u32;
    let signer = Signer::new().ok_or("minisign can't be had")?;
    let folder = tempfile::tempdir()?;
    let (_process, address) = serve(folder.path(), &signer)?;

    let builtin = variants::builtin(Stage::Infer);
    let good = variants::marked(builtin, "good");
    let signed = (Some(&signer), folder.path());
    let half = good.get(..good.len() / 2).unwrap_or_default();
    let unsigned = variants::marked(builtin, "unsigned");
    let offers = [
        Offer::new("good", &good, signed, None)?,
        Offer::new(
            "wrong world",
            fixtures::guest("train"),
            signed,
            Some("world"),
        )?,
        Offer::new("different", variants::otherwise(), signed, None)?,
        Offer::new("trapping", fixtures::guest("infer"), signed, Some("golden"))?,
        Offer::new(
            "unsigned",
            &unsigned,
            (None, folder.path()),
            Some("signature"),
        )?,
        Offer::new("truncated", half, signed, Some("compile"))?,
    ];
    let mut connection = Connection::new(address)?;
    let mut expected = Expected::new();
    let own = Digest::of(builtin).to_string();
    learn(&mut connection, &own, &mut expected)?;
    // Each once, so that what is good is compiled: a server compiles a component once, too.
    for offer in &offers {
        let begun = Instant::now();
        offer.send(&mut connection)?;
        println!(
            "  {:<12} the first time {:>7.0?}",
            offer.name,
            begun.elapsed()
        );
        if offer.refused.is_none() {
            learn(&mut connection, &offer.digest, &mut expected)?;
        }
    }
    let (mut quiet, mut swapped, mut took) = (Seen::default(), Seen::default(), Vec::new());
    for _ in 0..SLICES {
        let (seen, _) = slice(address, &expected, (&[], 0), length)?;
        quiet.add(seen);
        let (seen, swaps) = slice(address, &expected, (&offers, took.len()), length)?;
        swapped.add(seen);
        took.extend(swaps);
    }
    let ratio = report(&mut quiet, &mut swapped, took, length * SLICES as u32);
    let failed = quiet.failed + swapped.failed + quiet.mixed + swapped.mixed;
    if let Some(first) = quiet.first.or(swapped.first) {
        println!("the first that was wrong: {first}");
    }
    if failed > 0 || ratio > MOST {
        return Err(format!("{failed} requests were wrong, p99 is {ratio:.2} times").into());
    }
    Ok(())
}

fn report(quiet: &mut Seen, swapped: &mut Seen, mut took: Vec<Duration>, all: Duration) -> f64 {
    println!("\n{CLIENTS} clients, a request each {EVERY:?}, {all:?} each:");
    let mut ninety = Vec::new();
    for (name, seen) in [("no swaps", quiet), ("swaps", swapped)] {
        let quantiles = [0.5, 0.95, 0.99, 1.0].map(|share| seen.quantile(share));
        let [p50, p95, p99, most] = quantiles.map(|time| time.as_secs_f64() * 1e3);
        let (count, failed, mixed) = (seen.times.len(), seen.failed, seen.mixed);
        println!(
            "  {name:<9} {count:>6} answers, {failed} failed, {mixed} mixed; ms: p50 {p50:.2}, p95 \
             {p95:.2}, p99 {p99:.2}, most {most:.2}"
        );
        ninety.push(p99);
    }
    took.sort_unstable();
    let middle = took.get(took.len() / 2).copied().unwrap_or_default();
    println!(
        "  {} swaps were sent, one each {:.0?}; the middle one took {middle:.0?}",
        took.len(),
        all / took.len().max(1) as u32,
    );
    let ratio = match ninety.as_slice() {
        [quiet, swapped] if *quiet > 0.0 => swapped / quiet,
        _ => f64::INFINITY,
    };
    println!("  p99 with swaps is {ratio:.2} times that without (at most {MOST})");
    ratio
}
