//! Counts what a call uses.

use std::{collections::BTreeMap, sync::Arc};

use crate::stage::{Busy, Capability, Exceeded, Limits, Pulse};

/// How often each capability was called.
pub(crate) struct Meter {
    pulse: Arc<Pulse>,
    limits: Arc<Limits>,
    calls: u64,
    used: BTreeMap<Capability, u64>,
}

impl Meter {
    pub(crate) const fn new(pulse: Arc<Pulse>, limits: Arc<Limits>) -> Self {
        Self {
            pulse,
            limits,
            calls: 0,
            used: BTreeMap::new(),
        }
    }

    /// Counts a call of `capability`. This is where a stopped or overdue call ends.
    pub(crate) fn enter(&mut self, capability: Capability) -> wasmtime::Result<Busy> {
        let busy = self.pulse.enter()?;
        self.calls += 1;
        Exceeded::check("host_calls", self.limits.host_calls, self.calls)
            .map_err(wasmtime::Error::new)?;
        *self.used.entry(capability).or_default() += 1;
        Ok(busy)
    }

    /// Begins another call of the same instance.
    pub(crate) fn renew(&mut self) {
        self.calls = 0;
    }

    pub(crate) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Counts by name.
    pub(crate) fn used(&self) -> BTreeMap<String, u64> {
        let named = |(capability, count): (&Capability, &u64)| (capability.to_string(), *count);
        self.used.iter().map(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Control;

    #[test]
    fn calls_are_counted_and_bounded() {
        let limits = Limits {
            host_calls: 2,
            ..Limits::default()
        };
        let pulse = Arc::new(Pulse::new(Control::new(), 60));
        let mut meter = Meter::new(pulse, Arc::new(limits));
        meter.enter(Capability::Log).unwrap();
        meter.enter(Capability::BlobRead).unwrap();
        let error = meter.enter(Capability::Log).err().unwrap();
        assert_eq!(
            error.to_string(),
            "limit host_calls allows 2; 3 was asked for"
        );
        assert_eq!(meter.used()["log"], 1);
    }
}
