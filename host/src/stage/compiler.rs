//! Where a component becomes native code.
//!
//! It owns the child process that compiles: how it is started, fed, heard and ended, and what its end
//! means. A component that ends its compiler is refused by name; the host is at fault only where
//! there was no compiler at all.

use std::{
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    runtime::Handle,
    sync::Semaphore,
};
use wasmtime::{Engine, component::Component};

use super::{
    catalog::{LoadError, blocking},
    compiling::{READY, REFUSED, invalid},
    ended::plain,
    engine::Trust,
    limits::{Exceeded, Limits},
};

/// The words by which the program compiles one component and ends.
const COMMAND: &str = "compile-component";

/// Compilations at a time in this process; others wait. A compiler takes processors and gigabytes,
/// and whoever sends many components must not take all of both.
static COMPILERS: Semaphore = Semaphore::const_new(2);

/// Threads of one compiler: more are little faster and take more memory.
const THREADS: &str = "4";

/// More than any component in the limits compiles to.
const LARGEST: u64 = 2 << 30;

/// Read of what a compiler says of its end.
const SAID: u64 = 4 << 10;

/// Where components that are not embedded are compiled.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// In this process, for components that one has built oneself: nothing bounds them here.
    Here,
    /// In a child process of this program, which is Septet's: bounded by `compile_memory_bytes`,
    /// `compile_cpu_seconds` and `compile_seconds`.
    Process {
        /// The program.
        program: PathBuf,
        /// Whose threads start it. A process begins with the priority of the thread that starts it,
        /// and no compiler is to wait for a processor until nobody else wants one, or its time would
        /// be over on a busy machine.
        starter: Option<Handle>,
    },
}

/// Why there is no native code.
pub(crate) enum Uncompiled {
    /// The component's fault; one line.
    Refused(String),
    /// The machine's.
    Host(anyhow::Error),
}

impl From<Exceeded> for Uncompiled {
    fn from(limit: Exceeded) -> Self {
        Self::Refused(limit.to_string())
    }
}

impl Compiler {
    /// A child process of `program`, which the runtime that this is called in starts; where it is called
    /// in none, whoever compiles.
    pub fn process(program: PathBuf) -> Self {
        let starter = Handle::try_current().ok();
        Self::Process { program, starter }
    }

    /// The component, ready for `engine`. When the future is dropped, the child is killed.
    pub(crate) async fn compile(
        &self,
        engine: &Engine,
        trust: Trust,
        bytes: Vec<u8>,
        limits: &Limits,
    ) -> Result<Component, Uncompiled> {
        let engine = engine.clone();
        match (self, trust) {
            // Code of the trusted engine is made of embedded components alone.
            (Self::Here, _) | (_, Trust::Trusted) => {
                let compiled = blocking(move || Component::from_binary(&engine, &bytes)).await;
                let compiled = compiled.map_err(host)?;
                compiled.map_err(|error| Uncompiled::Refused(invalid(&plain(error))))
            }
            (Self::Process { program, starter }, Trust::Guarded) => {
                // Boxed: its pipes would make every future that may compile large.
                let code = Box::pin(process((program, starter), bytes, limits)).await?;
                let loaded = blocking(move || load(&engine, &code)).await;
                loaded.map_err(host)?.map_err(unloaded)
            }
        }
    }
}

fn host(error: LoadError) -> Uncompiled {
    Uncompiled::Host(error.into())
}

/// The pool of instances refuses what has no place in it; all else is wrong with the program.
fn unloaded(error: anyhow::Error) -> Uncompiled {
    let told = format!("{error:#}");
    if told.contains("exceeds the limit") {
        return Uncompiled::Refused(crate::capability::clean(&told, 500));
    }
    Uncompiled::Host(error.context("what the compiler made can't be loaded"))
}

fn load(engine: &Engine, code: &[u8]) -> anyhow::Result<Component> {
    // SAFETY: `deserialize` runs what it is given. These bytes came through a pipe from a process
    // that this one has started, of the very same program, and nobody else can write there. They
    // are what the same compiler would have made in this process; wasmtime itself refuses code of
    // another version of itself or of other settings.
    let component = unsafe { Component::deserialize(engine, code) };
    component.map_err(plain)
}

/// What the child said and how it ended.
struct Heard {
    ready: bool,
    code: Vec<u8>,
    said: String,
    status: ExitStatus,
}

async fn process(
    (program, starter): (&PathBuf, &Option<Handle>),
    bytes: Vec<u8>,
    limits: &Limits,
) -> Result<Vec<u8>, Uncompiled> {
    let permit = COMPILERS.acquire().await;
    let _permit = permit.map_err(|error| Uncompiled::Host(error.into()))?;
    let (program, bounds) = (program.clone(), limits.clone());
    let starter = starter.clone().unwrap_or_else(Handle::current);
    let started = starter.spawn(async move { start(&program, &bounds) }).await;
    let started = started.map_err(|error| Uncompiled::Host(error.into()))?;
    let mut child = started.map_err(Uncompiled::Host)?;
    let seconds = limits.compile_seconds;
    let heard = tokio::time::timeout(Duration::from_secs(seconds), hear(&mut child, &bytes)).await;
    let Ok(heard) = heard else {
        // Waits for its end too: its memory is to be free before the next one starts.
        let _ = child.kill().await;
        return Err(Exceeded::more("compile_seconds", seconds).into());
    };
    let heard = heard.context("a compiler can't be heard");
    outcome(heard.map_err(Uncompiled::Host)?, limits)
}

fn start(program: &PathBuf, limits: &Limits) -> anyhow::Result<Child> {
    Command::new(program)
        .arg(COMMAND)
        .arg(limits.compile_memory_bytes.to_string())
        .arg(limits.compile_cpu_seconds.to_string())
        // No key and no token of this process is any business of a compiler's.
        .env_clear()
        .env("RAYON_NUM_THREADS", THREADS)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("no compiler can be started as {}", program.display()))
}

/// Feeds the child and hears it to its end. All at the same time, or one would wait for the other.
async fn hear(child: &mut Child, bytes: &[u8]) -> anyhow::Result<Heard> {
    let lost = "a pipe to the compiler is missing";
    let mut input = child.stdin.take().context(lost)?;
    let output = child.stdout.take().context(lost)?;
    let errors = child.stderr.take().context(lost)?;
    let feed = async move {
        // It may end before it has read all: how it ended says more than this.
        let _ = input.write_all(bytes).await;
        drop(input);
    };
    let ((), code, said) = tokio::join!(feed, read(output, LARGEST), read(errors, SAID));
    let mut code = code?;
    let status = child.wait().await?;
    let ready = code.starts_with(READY);
    if ready {
        code.drain(..READY.len());
    }
    Ok(Heard {
        ready,
        code,
        said: String::from_utf8_lossy(&said?).into_owned(),
        status,
    })
}

/// At most so many bytes of a pipe, and then its end: a child that says more is not held up.
async fn read(mut pipe: impl AsyncRead + Unpin, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    (&mut pipe).take(most).read_to_end(&mut bytes).await?;
    tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    Ok(bytes)
}

fn outcome(heard: Heard, limits: &Limits) -> Result<Vec<u8>, Uncompiled> {
    let said = crate::capability::clean(&heard.said, 600);
    let status = heard.status;
    if !heard.ready {
        let memory = limits.compile_memory_bytes;
        return Err(Uncompiled::Host(anyhow!(
            "the compiler did not start ({status}): {said}; is the limit compile_memory_bytes of \
             {memory} enough for the program itself?"
        )));
    }
    if status.success() {
        return Ok(heard.code);
    }
    if status.code() == Some(REFUSED) && !is_memory(&said) {
        return Err(Uncompiled::Refused(said));
    }
    let cpu = limits.compile_cpu_seconds;
    if signal(status) == Some(SIGXCPU) {
        return Err(Exceeded::more("compile_cpu_seconds", cpu).into());
    }
    if is_memory(&said) {
        return Err(Exceeded::more("compile_memory_bytes", limits.compile_memory_bytes).into());
    }
    Err(Uncompiled::Refused(format!(
        "its compiler broke on it ({status}): {said}"
    )))
}

/// Whether the child told that it had no more memory: Rust's own words before it aborts, and the
/// system's.
fn is_memory(said: &str) -> bool {
    [
        "memory allocation of",
        "Cannot allocate memory",
        "out of memory",
        "os error 11",
        "os error 12",
    ]
    .iter()
    .any(|words| said.contains(words))
}

/// "Processor time is over", on every Unix.
const SIGXCPU: i32 = 24;

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}
