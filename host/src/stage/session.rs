//! The data of one store: WASI, limits and the capabilities' state.

use std::sync::Arc;

use wasmtime::{ResourceLimiter, component::ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::{
    limits::{Exceeded, Limits},
    wasi::{Inert, Monotonic, MonotonicClockView, MonotonicView},
};
use crate::capability::{Context, View, Viewed};

/// What a component's store holds.
pub(crate) struct Session {
    wasi: WasiCtx,
    clock: Monotonic,
    table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) context: Context,
}

impl Session {
    pub(crate) fn new(context: Context, inert: &Inert, memory: Exceeded) -> Self {
        let limits = Arc::clone(&context.limits);
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles as usize);
        Self {
            wasi: inert.context(&context.log, &limits),
            clock: inert.monotonic(),
            table,
            limiter: Limiter {
                memory,
                limits,
                bytes: 0,
                peak: 0,
                elements: 0,
            },
            context,
        }
    }
}

impl WasiView for Session {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl MonotonicClockView for Session {
    fn monotonic(&mut self) -> MonotonicView<'_> {
        MonotonicView {
            clock: &mut self.clock,
            table: &mut self.table,
        }
    }
}

impl Viewed for Session {
    fn view(&mut self) -> View<'_> {
        View {
            context: &mut self.context,
            table: &mut self.table,
        }
    }
}

/// Holds a store to its memory, and remembers the most that it had.
pub(crate) struct Limiter {
    /// The limit by name and value; `asked` is not used.
    memory: Exceeded,
    limits: Arc<Limits>,
    bytes: u64,
    peak: u64,
    elements: u64,
}

impl Limiter {
    /// The most bytes of linear memory so far.
    pub(crate) const fn peak(&self) -> u64 {
        self.peak
    }
}

/// Growing past a limit is a trap that names the limit, not a failed `memory.grow`: what a guest
/// makes of that is an abort without a reason.
impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current) as u64;
        let asked = self.bytes.saturating_add(more);
        Exceeded::check(self.memory.limit, self.memory.value, asked)
            .map_err(wasmtime::Error::new)?;
        self.bytes = asked;
        self.peak = self.peak.max(asked);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current) as u64;
        let asked = self.elements.saturating_add(more);
        Exceeded::check("table_elements", self.limits.table_elements, asked)
            .map_err(wasmtime::Error::new)?;
        self.elements = asked;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.limits.instances as usize
    }

    fn tables(&self) -> usize {
        self.limits.tables as usize
    }

    fn memories(&self) -> usize {
        self.limits.memories as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_tables_are_bounded_together() {
        let limits = Limits {
            table_elements: 10,
            ..Limits::default()
        };
        let mut limiter = Limiter {
            memory: Exceeded {
                limit: "memory_bytes",
                value: 100,
                asked: 0,
            },
            limits: Arc::new(limits),
            bytes: 0,
            peak: 0,
            elements: 0,
        };
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        let error = limiter.memory_growing(0, 60, None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "limit memory_bytes allows 100; 120 was asked for"
        );
        assert_eq!(limiter.peak(), 60);
        assert!(limiter.table_growing(0, 8, None).unwrap());
        let error = limiter.table_growing(8, 16, None).unwrap_err();
        assert!(error.to_string().contains("table_elements"), "{error}");
    }
}
