//! Wasmtime's two engines.
//!
//! It owns their configuration and the ticker of the guarded one. It must not know components.

use std::{thread, time::Duration};

use anyhow::Context as _;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::{ended::plain, limits::Limits};

/// How often the guarded engine's components are interrupted to look at deadlines.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Stack for host functions, which run on the fiber of the component that called them, beyond the
/// component's own.
const HOST_STACK: usize = 3 << 20;

/// The engines of a process.
#[derive(Clone)]
pub struct Engines {
    guarded: Engine,
    trusted: Engine,
}

/// Which engine a component runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Trust {
    /// Any component: interrupted by epochs, so that it can be stopped wherever it is.
    Guarded,
    /// An embedded digest: not interrupted, because that costs training 1.2 to 2 times.
    Trusted,
}

impl Engines {
    /// Both engines, and a thread that ticks for the guarded one as long as it lives.
    pub fn new(limits: &Limits) -> anyhow::Result<Self> {
        let guarded = engine(Trust::Guarded, limits)?;
        let trusted = engine(Trust::Trusted, limits)?;
        let weak = guarded.weak();
        thread::Builder::new()
            .name("septet-epoch".to_owned())
            .spawn(move || {
                while let Some(engine) = weak.upgrade() {
                    engine.increment_epoch();
                    drop(engine);
                    thread::sleep(TICK);
                }
            })
            .context("can't start the thread that interrupts components")?;
        Ok(Self { guarded, trusted })
    }

    pub(crate) const fn of(&self, trust: Trust) -> &Engine {
        match trust {
            Trust::Guarded => &self.guarded,
            Trust::Trusted => &self.trusted,
        }
    }
}

/// The pooling allocator makes an instance in microseconds, but reserves address space that a
/// machine may refuse (`ulimit -v`): on demand then, which differs in speed only.
fn engine(trust: Trust, limits: &Limits) -> anyhow::Result<Engine> {
    let mut config = config(trust, limits);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(trust, limits)));
    match Engine::new(&config) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            tracing::debug!("no pool of instances, allocating on demand: {error:#}");
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            Engine::new(&config)
                .map_err(plain)
                .context("can't start the WebAssembly engine")
        }
    }
}

/// An engine that only compiles, for the least processor of this machine's kind: naming a target
/// keeps wasmtime from using what this very processor can do beyond that.
pub(crate) fn baseline(trust: Trust) -> anyhow::Result<Engine> {
    // Stack and pool are of who runs the code, and change none of it.
    let mut config = config(trust, &Limits::default());
    config.target(&baseline_target()).map_err(plain)?;
    Engine::new(&config).map_err(plain)
}

/// An engine that only compiles, for this very processor. It needs no pool of instances; what it
/// makes loads into the engine that has one, because that differs in nothing that code is made of.
pub(crate) fn compiling(trust: Trust) -> anyhow::Result<Engine> {
    Engine::new(&config(trust, &Limits::default())).map_err(plain)
}

/// This machine's kind.
pub(crate) fn baseline_target() -> String {
    let system = match std::env::consts::OS {
        "macos" => "apple-darwin",
        "windows" => "pc-windows-msvc",
        _ => "unknown-linux-gnu",
    };
    format!("{}-{system}", std::env::consts::ARCH)
}

fn config(trust: Trust, limits: &Limits) -> Config {
    let stack = limits.stack_bytes as usize;
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_memory64(false)
        // Its results differ between processors.
        .wasm_relaxed_simd(false)
        .max_wasm_stack(stack)
        .async_stack_size(stack.saturating_add(HOST_STACK))
        .memory_init_cow(true)
        .parallel_compilation(true);
    match trust {
        Trust::Guarded => {
            config.epoch_interruption(true);
            // The bits of a NaN differ between processors. The kit writes canonical ones itself,
            // which also holds on hosts that can't be configured (V8, Spin); code that is not
            // ours may not, and pays for it here.
            config.cranelift_nan_canonicalization(true);
        }
        Trust::Trusted => {
            config.cranelift_nan_canonicalization(false);
        }
    }
    config
}

/// Room beside the calls of stages for predictors that are kept to be asked: 16 models, 4 of each.
const KEPT: u64 = 64;

/// Sized for `concurrent_calls` with all the sandboxes that they may open, and for predictors that
/// are kept, because a pool that is used up fails a call that did nothing wrong. An engine of 400 slots takes 6 ms. A memory takes
/// 4 GiB of address space, and none of the machine's memory before it is used; a thousand slots
/// take 8 TiB of the 128 that a process has.
fn pool(trust: Trust, limits: &Limits) -> PoolingAllocationConfig {
    let sandboxes = match trust {
        Trust::Guarded => limits.transforms.saturating_add(limits.models),
        // A transform is never trusted.
        Trust::Trusted => limits.models,
    };
    let calls = limits.concurrent_calls.clamp(1, 1000) as u32;
    let slots = limits
        .concurrent_calls
        .saturating_mul(sandboxes.saturating_add(1))
        .saturating_add(KEPT)
        .clamp(32, 1000) as u32;
    let memory = match trust {
        Trust::Guarded => limits
            .guarded_memory_bytes
            .max(limits.transform_memory_bytes),
        Trust::Trusted => limits.memory_bytes,
    };
    let memory = memory.min(1 << 32) as usize;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(16))
        .total_memories(slots.saturating_mul(2))
        // Two for each memory: the module's own, and that of its imports.
        .total_tables(slots.saturating_mul(4))
        .total_stacks(slots)
        .max_memory_size(memory)
        .table_elements(limits.table_elements as usize)
        .max_unused_warm_slots(calls)
        // Only what was touched is put back, where the kernel can tell (Linux 6.7).
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_differ_so_their_native_code_must_not_mix() {
        let engines = Engines::new(&Limits::default()).unwrap();
        let guarded = super::super::native::engine_key(engines.of(Trust::Guarded));
        let trusted = super::super::native::engine_key(engines.of(Trust::Trusted));
        assert_ne!(guarded, trusted);
        let again = Engines::new(&Limits::default()).unwrap();
        assert_eq!(
            super::super::native::engine_key(again.of(Trust::Guarded)),
            guarded
        );
    }

    #[test]
    fn an_engine_starts_where_there_is_no_room_for_a_pool() {
        let limits = Limits {
            concurrent_calls: 1000,
            table_elements: 1 << 40,
            ..Limits::default()
        };
        engine(Trust::Guarded, &limits).unwrap();
    }
}
