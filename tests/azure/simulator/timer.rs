//! What invokes a function by the clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    encoder::{Bound, body},
    process::Host,
};

/// Invokes a function again and again until it is dropped.
pub(crate) struct Timer(Arc<AtomicBool>);

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Timer {
    /// Invokes `function` each time after `every`: a schedule is a number of seconds here.
    pub(crate) fn start(host: &Host, function: &str, every: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (own, host, function) = (Arc::clone(&stop), host.unowned(), function.to_owned());
        thread::spawn(move || {
            let mut last = Instant::now();
            while !own.load(Ordering::SeqCst) && !host.is_over() {
                thread::sleep(Duration::from_millis(50));
                if last.elapsed() >= every {
                    last = Instant::now();
                    host.invoke(&function, &payload(&host, &function), None);
                }
            }
        });
        Self(stop)
    }
}

/// The invocation for a tick, as it was captured from a host.
pub(crate) fn payload(host: &Host, function: &str) -> serde_json::Value {
    let name = host.app().trigger(function)["name"].as_str().unwrap();
    let timer =
        json!({"Schedule": {"AdjustForDST": true}, "ScheduleStatus": null, "IsPastDue": false});
    body(function, &[(name, Bound::Json(timer))], &[])
}
