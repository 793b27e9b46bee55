//! One component in a fresh store.
//!
//! It owns how a store is set up and watched. What is called in it is `run`'s, `transform`'s and
//! `predictor`'s.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use wasmtime::{
    Trap, UpdateDeadline,
    component::{Instance, ResourceTableError},
};

use super::{
    catalog::{Catalog, Prepared},
    ended::Ended,
    engine::{TICK, Trust},
    limits::{Exceeded, Limits},
    pulse::Pulse,
    sandbox::Warm,
    session::Session,
    wasi::Inert,
};
use crate::{
    capability::{
        Context, Meter, Scope, blob_write::Written, log::Sink, queue::Outbox,
        registry_propose::Proposals,
    },
    contract::{Digest, Origin},
    store::Blobs,
};

/// What a call and the sandboxes that it opens have in common.
#[derive(Clone)]
pub(crate) struct Around {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) inert: Inert,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) origin: Origin,
    /// The transforms that the call, and a model in it, may apply.
    pub(crate) transforms: BTreeSet<Digest>,
}

impl Around {
    /// The log of a component that is called `name` there.
    pub(crate) fn log(&self, name: String) -> Sink {
        Sink::new(name, self.origin.clone(), &self.limits)
    }

    /// A session for a component that writes to `log` and may touch `scope`.
    pub(crate) fn session(&self, log: Sink, scope: Scope, share: &Share) -> Session {
        let limits = Arc::clone(&share.limits);
        let context = Context {
            meter: Meter::new(Arc::clone(&self.pulse), Arc::clone(&limits)),
            scope,
            blobs: Arc::clone(&self.blobs),
            opened: BTreeMap::new(),
            written: Written::default(),
            outbox: Outbox::default(),
            proposals: Proposals::default(),
            log,
            sandboxes: Box::new(Warm::new(self.clone())),
            limits,
        };
        Session::new(context, &self.inert, share.memory)
    }
}

/// What one component may take of the machine.
pub(crate) struct Share {
    limits: Arc<Limits>,
    memory: Exceeded,
    cpu: Exceeded,
}

/// A limit by name and value, before anything was asked.
const fn limit(limit: &'static str, value: u64) -> Exceeded {
    Exceeded {
        limit,
        value,
        asked: 0,
    }
}

impl Share {
    /// For the component of a stage.
    pub(crate) fn stage(limits: &Arc<Limits>, trust: Trust) -> Self {
        Self {
            memory: match trust {
                Trust::Trusted => limit("memory_bytes", limits.memory_bytes),
                Trust::Guarded => limit("guarded_memory_bytes", limits.guarded_memory_bytes),
            },
            cpu: limit("cpu_seconds", limits.cpu_seconds),
            limits: Arc::clone(limits),
        }
    }

    /// For a predictor: an infer component that predicts and writes nothing.
    pub(crate) fn predictor(limits: &Limits, trust: Trust) -> Self {
        let limits = Arc::new(Limits {
            blobs: 0,
            ..limits.clone()
        });
        Self::stage(&limits, trust)
    }

    /// For a user transform.
    pub(crate) fn transform(limits: &Arc<Limits>) -> Self {
        Self {
            memory: limit("transform_memory_bytes", limits.transform_memory_bytes),
            cpu: limit("transform_cpu_seconds", limits.transform_cpu_seconds),
            limits: Arc::clone(limits),
        }
    }
}

/// A store, before and after its component was instantiated.
pub(crate) struct Open {
    pub(crate) store: wasmtime::Store<Session>,
    /// Ticks of the guarded engine that the component was seen to compute.
    ticks: Arc<AtomicU64>,
}

impl Open {
    pub(crate) fn new(
        prepared: &Prepared,
        session: Session,
        share: &Share,
        pulse: &Arc<Pulse>,
    ) -> Self {
        let mut store = wasmtime::Store::new(prepared.pre.engine(), session);
        store.limiter(|session| &mut session.limiter);
        store.set_hostcall_fuel(share.limits.host_call_bytes as usize);
        let ticks = Arc::new(AtomicU64::new(0));
        if prepared.trust == Trust::Guarded {
            store.set_epoch_deadline(1);
            let (pulse, ticks, cpu) = (Arc::clone(pulse), Arc::clone(&ticks), share.cpu);
            store.epoch_deadline_callback(move |_| {
                pulse.check()?;
                pulse.beat();
                // A tick counts once however late it is seen, so time that the machine gave to
                // others is not counted.
                let ticks = ticks.fetch_add(1, Ordering::Relaxed) + 1;
                let seconds = ticks / u64::from(1000 / TICK.as_millis() as u32);
                if seconds >= cpu.value {
                    let asked = cpu.value + 1;
                    return Err(wasmtime::Error::new(Exceeded { asked, ..cpu }));
                }
                // Others have their turn: the timer that ends a call, for one.
                Ok(UpdateDeadline::Yield(1))
            });
        }
        Self { store, ticks }
    }

    /// Makes the instance.
    pub(crate) async fn instantiate(&mut self, prepared: &Prepared) -> wasmtime::Result<Instance> {
        prepared.pre.instantiate_async(&mut self.store).await
    }

    /// Begins another call in the same instance.
    pub(crate) fn renew(&mut self) {
        self.ticks.store(0, Ordering::Relaxed);
        let context = &mut self.store.data_mut().context;
        context.meter.renew();
        context.log.renew(&context.limits);
        context.sandboxes.renew();
    }

    /// Why the component came to no answer.
    pub(crate) fn ended(&self, error: wasmtime::Error) -> Ended {
        let Context { limits, log, .. } = &self.store.data().context;
        if let Some(limit) = met(&error, limits) {
            return Ended::Limit(limit);
        }
        Ended::from_error(error, &log.last_words())
    }
}

/// The limit that an error of wasmtime's own is about. Some it tells in words only.
fn met(error: &wasmtime::Error, limits: &Limits) -> Option<Exceeded> {
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return Some(Exceeded {
            asked: limits.handles + 1,
            ..limit("handles", limits.handles)
        });
    }
    if let Some(Trap::StackOverflow) = error.downcast_ref() {
        return Some(Exceeded::more("stack_bytes", limits.stack_bytes));
    }
    let told = error.root_cause().to_string();
    if told.contains("fuel allocated for hostcalls") {
        return Some(Exceeded::more("host_call_bytes", limits.host_call_bytes));
    }
    if let Some((asked, _)) = told
        .strip_prefix("requested len ")
        .and_then(|rest| rest.split_once(" exceeds limit "))
    {
        let asked = asked.parse().unwrap_or(Exceeded::MORE);
        return Some(Exceeded {
            asked,
            ..limit("random_bytes", limits.random_bytes)
        });
    }
    let (what, asked) = told
        .strip_prefix("resource limit exceeded: ")?
        .split_once(" count too high at ")?;
    let (name, value) = match what {
        "instance" => ("instances", limits.instances),
        "table" => ("tables", limits.tables),
        "memory" => ("memories", limits.memories),
        _ => return None,
    };
    let asked = asked.parse().unwrap_or(Exceeded::MORE);
    Some(Exceeded {
        asked,
        ..limit(name, value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wasmtime_tells_in_words_has_a_name() {
        let limits = Limits::default();
        let told = |text: &str| {
            let error = wasmtime::Error::msg(text.to_owned()).context("around");
            met(&error, &limits).map(|limit| limit.to_string())
        };
        for (text, expected) in [
            (
                "resource limit exceeded: instance count too high at 101",
                "limit instances allows 100; 101 was asked for",
            ),
            (
                "resource limit exceeded: table count too high at 101",
                "limit tables allows 100; 101 was asked for",
            ),
            (
                "resource limit exceeded: memory count too high at 9",
                "limit memories allows 8; 9 was asked for",
            ),
            (
                "requested len 1073741824 exceeds limit 65536",
                "limit random_bytes allows 65536; 1073741824 was asked for",
            ),
            (
                "too much data is being copied between the host and the guest: fuel allocated for hostcalls has been exhausted",
                "limit host_call_bytes allows 268435456; more was asked for",
            ),
        ] {
            assert_eq!(told(text).as_deref(), Some(expected));
        }
        assert_eq!(told("something else"), None);
        let overflow = wasmtime::Error::from(Trap::StackOverflow);
        let limit = met(&overflow, &limits).unwrap();
        assert_eq!(
            limit.to_string(),
            "limit stack_bytes allows 1048576; more was asked for"
        );
    }
}
