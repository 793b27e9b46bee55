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
    UpdateDeadline,
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
        if let Some(ResourceTableError::Full) = error.downcast_ref() {
            return Ended::Limit(Exceeded {
                asked: limits.handles + 1,
                ..limit("handles", limits.handles)
            });
        }
        // wasmtime tells this one in words only, and not how much was asked for.
        if error
            .root_cause()
            .to_string()
            .contains("fuel allocated for hostcalls")
        {
            let bytes = limits.host_call_bytes;
            return Ended::Trap(format!(
                "limit host_call_bytes allows {bytes}; more was passed in one call of the host"
            ));
        }
        Ended::from_error(error, &log.last_words())
    }
}
