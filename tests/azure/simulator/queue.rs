//! What listens to a queue: receives in batches, keeps messages hidden while they are worked on,
//! and deletes, shows again or sets aside.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;

use super::{
    encoder::{Bound, body},
    process::Host,
    response::Outcome,
    storage::{Message, Storage},
};

/// For how long a message is hidden from others when it is received, and how often that is renewed.
const HIDDEN: u64 = 600;
const RENEWED: Duration = Duration::from_mins(5);

/// The wait between looks at an empty queue. The real one grows to maxPollingInterval.
const POLL: Duration = Duration::from_millis(100);

/// Listens for one function.
pub(crate) struct Listener {
    stop: Arc<AtomicBool>,
    pub(crate) counts: Arc<Counts>,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) running: AtomicUsize,
    pub(crate) most: AtomicUsize,
    pub(crate) succeeded: AtomicUsize,
    pub(crate) failed: AtomicUsize,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

impl Listener {
    /// Listens to the queue of `function` until it is dropped or the instance is over.
    pub(crate) fn start(host: &Host, storage: &Storage, function: &str) -> Self {
        let (stop, counts) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(Counts::default()),
        );
        let trigger = host.app().trigger(function);
        let queue = trigger["queueName"].as_str().unwrap().to_owned();
        let (host, storage, function) = (host.unowned(), storage.clone(), function.to_owned());
        let own = (Arc::clone(&stop), Arc::clone(&counts));
        thread::spawn(move || {
            let (stop, counts) = own;
            while !stop.load(Ordering::SeqCst) && !host.is_over() {
                let settings = &host.app().queues;
                let mut found = Vec::new();
                // A new batch is fetched when few of the last are left.
                if counts.running.load(Ordering::SeqCst) <= settings.threshold {
                    found = storage.get(&queue, settings.batch_size, HIDDEN);
                }
                if found.is_empty() {
                    thread::sleep(POLL);
                }
                for message in found {
                    let now = counts.running.fetch_add(1, Ordering::SeqCst) + 1;
                    counts.most.fetch_max(now, Ordering::SeqCst);
                    let (host, storage, counts) =
                        (host.unowned(), storage.clone(), Arc::clone(&counts));
                    let (queue, function) = (queue.clone(), function.clone());
                    thread::spawn(move || {
                        process(&host, &storage, (&queue, &function), message, &counts);
                        counts.running.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            }
        });
        Self { stop, counts }
    }
}

/// One message, from its receipt to its end.
fn process(
    host: &Host,
    storage: &Storage,
    (queue, function): (&str, &str),
    message: Message,
    counts: &Counts,
) {
    let settings = &host.app().queues;
    let poison = |message: &Message| {
        let aside = format!("{queue}-poison");
        storage.make_queue(&aside);
        storage.put(&aside, &message.text);
        storage.delete(queue, message);
    };
    if message.count > settings.max_dequeue_count {
        return poison(&message);
    }
    let invocation = payload(host, function, &message);
    let (done, renewing) = mpsc::channel::<()>();
    let (outcome, mut message) = thread::scope(|scope| {
        let mut message = message.clone();
        let renewed = scope.spawn(move || {
            while renewing.recv_timeout(RENEWED) == Err(mpsc::RecvTimeoutError::Timeout) {
                storage.hide(queue, &mut message, HIDDEN);
            }
            message
        });
        let outcome = host.invoke(function, &invocation, None);
        drop(done);
        (outcome, renewed.join().unwrap())
    });
    // A lost instance does nothing any more: the message stays hidden for its ten minutes.
    if host.is_over() {
        return;
    }
    if matches!(outcome, Outcome::Succeeded { .. }) {
        counts.succeeded.fetch_add(1, Ordering::SeqCst);
        storage.delete(queue, &message);
        return;
    }
    counts.failed.fetch_add(1, Ordering::SeqCst);
    if message.count >= settings.max_dequeue_count {
        poison(&message);
    } else {
        storage.hide(queue, &mut message, settings.visibility.as_secs());
    }
}

/// The invocation for a message, encoded as the function declares.
pub(crate) fn payload(host: &Host, function: &str, message: &Message) -> serde_json::Value {
    let trigger = host.app().trigger(function);
    let bytes = BASE64_STANDARD.decode(&message.text).unwrap_or_default();
    let data = if trigger["dataType"] == "binary" {
        Bound::Bytes(bytes)
    } else {
        Bound::Json(json!(String::from_utf8_lossy(&bytes)))
    };
    let name = trigger["name"].as_str().unwrap();
    let metadata = [
        ("DequeueCount", Bound::Json(json!(message.count))),
        ("Id", Bound::Json(json!(message.id))),
        ("PopReceipt", Bound::Json(json!(message.receipt))),
        (
            "queueTrigger",
            Bound::Json(json!(String::from_utf8_lossy(message.text.as_bytes()))),
        ),
    ];
    body(function, &[(name, data)], &metadata)
}
