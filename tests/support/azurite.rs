//! A real Azurite, the emulator of Azure Storage: one process for the whole suite, and an account of
//! its own for whoever asks, so that no test sees another's data.
//!
//! Time in it is a request's own: see `tests/azure/clock.cjs`.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use crate::hosts::oracles::{installed, npm, workspace};

/// Every account's key. It protects nothing.
const KEY: &str =
    "c2VwdGV0LXRlc3Qta2V5LXNlcHRldC10ZXN0LWtleS1zZXB0ZXQtdGVzdC1rZXktc2VwdGV0LXRlc3Qta2V5IQ==";

/// Accounts that one process has. All of them are in one environment variable.
const ACCOUNTS: usize = 250;

/// How long it may take to start.
const START: Duration = Duration::from_mins(1);

/// An account of a running emulator.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    blob: u16,
    queue: u16,
}

impl Account {
    /// Its connection string.
    pub(crate) fn connection_string(&self) -> String {
        format!(
            "DefaultEndpointsProtocol=http;AccountName={};AccountKey={KEY};BlobEndpoint={};\
             QueueEndpoint={};",
            self.name,
            self.endpoint("blob"),
            self.endpoint("queue")
        )
    }

    /// The address of its service `blob` or `queue`.
    pub(crate) fn endpoint(&self, service: &str) -> String {
        let port = match service {
            "blob" => self.blob,
            "queue" => self.queue,
            other => panic!("no service {other}"),
        };
        format!("http://127.0.0.1:{port}/{}", self.name)
    }

    /// Its key, as base64.
    #[allow(
        clippy::unused_self,
        reason = "it is the account's, though all have the same"
    )]
    pub(crate) fn key(&self) -> &'static str {
        KEY
    }
}

/// Whether the emulator can be had; where not, that was said.
pub(crate) fn is_there() -> bool {
    packages().is_some()
}

/// A fresh account, empty; none where npm's registry is out of reach.
pub(crate) fn account() -> Option<Account> {
    // The emulator searches all accounts for each request, so that one with many gets slow: after
    // some hundred there is another process.
    static RUNNING: Mutex<Option<(Azurite, usize)>> = Mutex::new(None);
    let folder = packages()?;
    let mut running = RUNNING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let (azurite, used) = match running.take() {
        Some((azurite, used)) if used < ACCOUNTS => (azurite, used),
        old => {
            // Tests are still at the accounts of the old one: it ends with this process.
            std::mem::forget(old);
            (Azurite::start(folder, &[]), 0)
        }
    };
    let account = azurite.account(used);
    *running = Some((azurite, used + 1));
    Some(account)
}

/// A process of the emulator, which ends with the value, and with this process at the latest.
pub(crate) struct Azurite {
    child: Child,
    blob: u16,
    queue: u16,
    name: String,
}

impl Azurite {
    /// A process of one's own, with more options; none where npm's registry is out of reach.
    pub(crate) fn own(options: &[&str]) -> Option<Self> {
        Some(Self::start(packages()?, options))
    }

    /// One of its accounts.
    pub(crate) fn account(&self, number: usize) -> Account {
        assert!(number < ACCOUNTS);
        Account {
            name: format!("{}n{number}", self.name),
            blob: self.blob,
            queue: self.queue,
        }
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    fn start(folder: &Path, options: &[&str]) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let name = format!("septet{}", STARTED.fetch_add(1, Ordering::Relaxed));
        let mut accounts = String::new();
        for number in 0..ACCOUNTS {
            write!(accounts, "{name}n{number}:{KEY};").unwrap();
        }
        let mut child = Command::new("node")
            .arg("--require")
            .arg(workspace().join("tests/azure/clock.cjs"))
            .arg(folder.join("node_modules/azurite/dist/src/azurite.js"))
            .args(["--blobPort", "0", "--queuePort", "0", "--tablePort", "0"])
            .args(["--inMemoryPersistence", "--disableTelemetry", "--silent"])
            .arg("--skipApiVersionCheck")
            .args(options)
            .env("AZURITE_ACCOUNTS", accounts)
            // Its standard input is closed when this process ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let ports = ports(&mut child);
        let port = |service: &str| *ports.get(service).unwrap();
        let (blob, queue) = (port("Blob"), port("Queue"));
        Self {
            child,
            blob,
            queue,
            name,
        }
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The ports that each service says it listens on.
fn ports(child: &mut Child) -> HashMap<String, u16> {
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (told, heard) = mpsc::channel();
    // It reads on to the end, so that the emulator can always write.
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            let _ = told.send(line);
        }
    });
    let mut ports = HashMap::new();
    while ports.len() < 3 {
        let line = heard.recv_timeout(START).expect("Azurite did not start");
        if let Some((service, address)) = line.split_once(" service is successfully listening at ")
        {
            let service = service.trim_start_matches("Azurite ").to_owned();
            let port = address.rsplit(':').next().unwrap().trim_end_matches('/');
            ports.insert(service, port.parse().unwrap());
        }
    }
    ports
}

/// The folder whose `node_modules` has the emulator.
fn packages() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            installed(
                "azurite",
                "azure",
                &["package.json", "package-lock.json"],
                npm,
            )
        })
        .as_deref()
}
