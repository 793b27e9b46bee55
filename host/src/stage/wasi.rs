//! WASI without a world: inert and the same on every call.
//!
//! A guest built on std imports much of `wasi:*` and uses next to nothing of it. Each interface is
//! linked by itself: clocks that stand still, constants for random numbers, no arguments, no
//! environment, no files, no network, no input; output goes to the bounded log. A stage's output
//! must not depend on any of it, because other hosts give the real thing: tests run stages under
//! two values of [`Inert`] and compare.

use std::time::Duration;

use bytes::Bytes;
use sha2::Digest as _;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::{
    Deterministic, HostWallClock, WasiCtx, WasiView,
    cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView as _},
    clocks::{WasiClocks, WasiClocksView as _},
    filesystem::{WasiFilesystem, WasiFilesystemView as _},
    p2::{
        DynPollable, OutputStream, Pollable, StreamResult,
        bindings::{
            LinkOptions, cli,
            clocks::{monotonic_clock, wall_clock},
            filesystem, random, sockets,
        },
        pipe::{MemoryInputPipe, MemoryOutputPipe},
        subscribe,
    },
    random::{WasiRandom, WasiRandomView as _},
    sockets::{WasiSockets, WasiSocketsView as _},
};

use super::limits::Limits;
use crate::capability::{bindings::septet::capability::log::Level, log::Sink};

/// Interfaces that every component may import.
pub(crate) const INERT: [&str; 27] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// The constants that stand for time and chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inert {
    /// Where all random numbers come from.
    pub seed: u64,
    /// Seconds since 1970-01-01T00:00:00 UTC, at which the clocks stand.
    pub clock: u64,
}

impl Default for Inert {
    /// 2020-01-01, so that a date made of it looks like one.
    fn default() -> Self {
        Self {
            seed: 0,
            clock: 1_577_836_800,
        }
    }
}

impl Inert {
    /// A fresh context. What is written to standard output and error goes to `sink`.
    pub(crate) fn context(&self, sink: &Sink, limits: &Limits) -> WasiCtx {
        let bytes = |what: &str| {
            let text = format!("septet {what} {}", self.seed);
            sha2::Sha256::digest(text.as_bytes()).to_vec()
        };
        let insecure_seed = bytes("insecure-seed")
            .iter()
            .take(16)
            .fold(0, |seed, byte| (seed << 8) | u128::from(*byte));
        let mut builder = WasiCtx::builder();
        builder
            .stdin(MemoryInputPipe::new(""))
            .stdout(Output::new(sink, Level::Info))
            .stderr(Output::new(sink, Level::Warn))
            .secure_random(Deterministic::new(bytes("random")))
            .insecure_random(Deterministic::new(bytes("insecure")))
            .insecure_random_seed(insecure_seed)
            .max_random_size(limits.random_bytes)
            .wall_clock(Standing(Duration::from_secs(self.clock)))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        builder.build()
    }

    /// A fresh monotonic clock.
    pub(crate) const fn monotonic(&self) -> Monotonic {
        Monotonic {
            now: self.clock.wrapping_mul(1_000_000_000),
        }
    }
}

struct Standing(Duration);

impl HostWallClock for Standing {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

/// A clock that moves only by what the component sleeps: nobody waits, and a loop that sleeps
/// until a time comes to its end.
pub(crate) struct Monotonic {
    now: u64,
}

/// What the clock's functions work on.
pub(crate) struct MonotonicView<'a> {
    pub(crate) clock: &'a mut Monotonic,
    pub(crate) table: &'a mut ResourceTable,
}

struct MonotonicClock;

impl HasData for MonotonicClock {
    type Data<'a> = MonotonicView<'a>;
}

/// Ready after others had their turn.
struct Elapsed {
    yielded: bool,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Elapsed {
    async fn ready(&mut self) {
        if !self.yielded {
            self.yielded = true;
            tokio::task::yield_now().await;
        }
    }
}

impl MonotonicView<'_> {
    fn advance(&mut self, to: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.clock.now = self.clock.now.max(to);
        let elapsed = self.table.push(Elapsed { yielded: false })?;
        subscribe(self.table, elapsed)
    }
}

impl monotonic_clock::Host for MonotonicView<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.now)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.advance(when)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.advance(self.clock.now.saturating_add(duration))
    }
}

/// Standard output or error: lines of the log.
#[derive(Clone)]
struct Output {
    sink: Sink,
    level: Level,
}

impl Output {
    fn new(sink: &Sink, level: Level) -> Self {
        Self {
            sink: sink.clone(),
            level,
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    /// WASI 0.2 asks for `p2_stream` only.
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(MemoryOutputPipe::new(0))
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Pieces {
            output: self.clone(),
            rest: Vec::new(),
        })
    }
}

/// A stream that is cut into lines.
struct Pieces {
    output: Output,
    rest: Vec<u8>,
}

/// A line that never ends is cut into pieces of this length.
const PIECE: usize = 4096;

impl Pieces {
    fn emit(&self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        if self.output.level == Level::Warn {
            self.output.sink.remember(&text);
        }
        if !text.trim().is_empty() {
            self.output.sink.write(self.output.level, &text);
        }
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.emit(&self.rest);
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Pieces {
    async fn ready(&mut self) {}
}

impl OutputStream for Pieces {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        for byte in bytes {
            if byte != b'\n' {
                self.rest.push(byte);
            }
            if byte == b'\n' || self.rest.len() >= PIECE {
                let line = std::mem::take(&mut self.rest);
                self.emit(&line);
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

/// A store's data that has a monotonic clock besides its WASI context.
pub(crate) trait MonotonicClockView: WasiView + 'static {
    /// The clock.
    fn monotonic(&mut self) -> MonotonicView<'_>;
}

/// Links [`INERT`], interface by interface.
pub(crate) fn add_to_linker<T: MonotonicClockView>(l: &mut Linker<T>) -> wasmtime::Result<()> {
    use wasmtime_wasi::p2::bindings::io;
    let network = (&LinkOptions::default()).into();

    io::error::add_to_linker::<T, Io>(l, |t| t.ctx().table)?;
    io::poll::add_to_linker::<T, Io>(l, |t| t.ctx().table)?;
    io::streams::add_to_linker::<T, Io>(l, |t| t.ctx().table)?;

    monotonic_clock::add_to_linker::<T, MonotonicClock>(l, T::monotonic)?;
    wall_clock::add_to_linker::<T, WasiClocks>(l, T::clocks)?;

    random::random::add_to_linker::<T, WasiRandom>(l, T::random)?;
    random::insecure::add_to_linker::<T, WasiRandom>(l, T::random)?;
    random::insecure_seed::add_to_linker::<T, WasiRandom>(l, T::random)?;

    cli::environment::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::exit::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::stdin::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::stdout::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::stderr::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::terminal_input::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::terminal_output::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::terminal_stdin::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::terminal_stdout::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::terminal_stderr::add_to_linker::<T, WasiCli>(l, T::cli)?;

    filesystem::types::add_to_linker::<T, WasiFilesystem>(l, T::filesystem)?;
    filesystem::preopens::add_to_linker::<T, WasiFilesystem>(l, T::filesystem)?;

    sockets::instance_network::add_to_linker::<T, WasiSockets>(l, T::sockets)?;
    sockets::ip_name_lookup::add_to_linker::<T, WasiSockets>(l, T::sockets)?;
    sockets::network::add_to_linker::<T, WasiSockets>(l, &network, T::sockets)?;
    sockets::tcp::add_to_linker::<T, WasiSockets>(l, T::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<T, WasiSockets>(l, T::sockets)?;
    sockets::udp::add_to_linker::<T, WasiSockets>(l, T::sockets)?;
    sockets::udp_create_socket::add_to_linker::<T, WasiSockets>(l, T::sockets)?;
    Ok(())
}

struct Io;

impl HasData for Io {
    type Data<'a> = &'a mut ResourceTable;
}
