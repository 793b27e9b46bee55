//! Queues and records against models of them, by random steps.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use septet::store::{Created, Entry, Message, Received, Store};

use super::backends::{ALL, block_on, in_account};
use crate::support::azurite;

#[derive(Clone, Debug)]
enum Step {
    Send { queue: usize, id: u8, delay: u8 },
    Receive { both: bool, lease: u8 },
    Renew { which: usize, lease: u8 },
    Acknowledge { which: usize },
    Release { which: usize, delay: u8 },
    Remove { queue: usize, id: u8 },
    Wait { seconds: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..12_usize;
    prop_oneof![
        4 => (0..2_usize, 0..6_u8, 0..4_u8)
            .prop_map(|(queue, id, delay)| Step::Send { queue, id, delay }),
        4 => (any::<bool>(), 1..9_u8).prop_map(|(both, lease)| Step::Receive { both, lease }),
        1 => (which.clone(), 1..9_u8).prop_map(|(which, lease)| Step::Renew { which, lease }),
        2 => which.clone().prop_map(|which| Step::Acknowledge { which }),
        1 => (which, 0..4_u8).prop_map(|(which, delay)| Step::Release { which, delay }),
        1 => (0..2_usize, 0..6_u8).prop_map(|(queue, id)| Step::Remove { queue, id }),
        2 => (1..6_u8).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

const QUEUES: [&str; 2] = ["left", "right"];

/// A message in the model: which lease it is under is the number of the receipt.
struct Held {
    id: String,
    visible_at: u64,
    dequeues: u32,
    lease: Option<usize>,
}

#[derive(Default)]
struct Model {
    queues: [Vec<Held>; 2],
    now: u64,
    leases: Vec<(usize, String)>,
}

impl Model {
    fn leased(&mut self, lease: usize) -> Option<&mut Held> {
        let (queue, id) = self.leases.get(lease)?;
        let queue = self.queues[*queue].iter_mut();
        queue
            .into_iter()
            .find(|held| &held.id == id && held.lease == Some(lease))
    }

    fn receive(&mut self, queues: &[usize], lease: u64) -> Option<(String, u32)> {
        for &queue in queues {
            let ready = self.queues[queue]
                .iter_mut()
                .filter(|h| h.visible_at <= self.now)
                .min_by_key(|h| h.visible_at);
            if let Some(held) = ready {
                held.visible_at = self.now + lease;
                held.dequeues += 1;
                held.lease = Some(self.leases.len());
                self.leases.push((queue, held.id.clone()));
                return Some((held.id.clone(), held.dequeues));
            }
        }
        None
    }
}

fn seconds(count: u8) -> Duration {
    Duration::from_secs(count.into())
}

async fn compare(store: &Store, clock: &septet::store::ManualClock, steps: Vec<Step>) {
    let mut model = Model::default();
    let mut receipts: Vec<Received> = Vec::new();
    let queues = &store.queues;
    for step in steps {
        match step {
            Step::Send { queue, id, delay } => {
                let id = format!("m{id}");
                let message = Message::new(id.clone(), id.clone());
                queues
                    .send(QUEUES[queue], &message, seconds(delay))
                    .await
                    .unwrap();
                let visible_at = model.now + u64::from(delay);
                // Both of our backends drop a second message of the same id.
                if !model.queues[queue].iter().any(|held| held.id == id) {
                    model.queues[queue].push(Held {
                        id,
                        visible_at,
                        dequeues: 0,
                        lease: None,
                    });
                }
            }
            Step::Receive { both, lease } => {
                let asked: &[usize] = if both { &[1, 0] } else { &[0] };
                let names: Vec<_> = asked.iter().map(|&queue| QUEUES[queue]).collect();
                let received = queues.receive(&names, seconds(lease)).await.unwrap();
                let got = received
                    .as_ref()
                    .map(|r| (r.message.id.clone(), r.dequeue_count));
                assert_eq!(got, model.receive(asked, lease.into()));
                receipts.extend(received);
            }
            Step::Renew { which, lease } => {
                let Some(received) = receipts.get(which) else {
                    continue;
                };
                let until = model.now + u64::from(lease);
                let held = model.leased(which).map(|held| held.visible_at = until);
                let renewed = queues.renew(received, seconds(lease)).await.unwrap();
                assert_eq!(renewed, held.is_some());
            }
            Step::Acknowledge { which } => {
                let Some(received) = receipts.get(which) else {
                    continue;
                };
                let holds = model.leased(which).is_some();
                assert_eq!(queues.acknowledge(received).await.unwrap(), holds);
                if holds {
                    let (queue, id) = model.leases[which].clone();
                    model.queues[queue].retain(|held| held.id != id);
                }
            }
            Step::Release { which, delay } => {
                let Some(received) = receipts.get(which) else {
                    continue;
                };
                let at = model.now + u64::from(delay);
                let held = model.leased(which).map(|held| {
                    held.visible_at = at;
                    held.lease = None;
                });
                let released = queues.release(received, seconds(delay)).await.unwrap();
                assert_eq!(released, held.is_some());
            }
            Step::Remove { queue, id } => {
                let id = format!("m{id}");
                let there = model.queues[queue].iter().any(|held| held.id == id);
                model.queues[queue].retain(|held| held.id != id);
                assert_eq!(queues.remove(QUEUES[queue], &id).await.unwrap(), there);
            }
            Step::Wait { seconds: count } => {
                clock.advance(seconds(count));
                model.now += u64::from(count);
            }
        }
        for (queue, name) in QUEUES.iter().enumerate() {
            let peeked = queues.peek(name, 100).await.unwrap();
            let peeked: Vec<_> = peeked.into_iter().map(|message| message.id).collect();
            let held: Vec<_> = model.queues[queue]
                .iter()
                .map(|held| held.id.clone())
                .collect();
            assert_eq!(peeked, held);
        }
    }
}

#[derive(Clone, Debug)]
enum Write {
    Create(String, u8),
    Delete(String),
    List {
        prefix: String,
        after: Option<String>,
        limit: usize,
    },
}

fn write() -> impl Strategy<Value = Write> {
    let key = "[ab~](/[a0.]){0,2}";
    let prefix = "([ab~](/[a0.]?)?)?";
    // "." alone is no segment.
    let key = key.prop_map(|key: String| key.replace("/.", "/-"));
    prop_oneof![
        3 => (key.clone(), any::<u8>()).prop_map(|(key, value)| Write::Create(key, value)),
        1 => key.clone().prop_map(Write::Delete),
        2 => (prefix, proptest::option::of(key), 0..5_usize)
            .prop_map(|(prefix, after, limit)| Write::List { prefix, after, limit }),
    ]
}

async fn compare_records(store: &Store, writes: Vec<Write>) {
    let mut model: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let records = &store.records;
    for write in writes {
        match write {
            Write::Create(key, value) => {
                let created = records.create(&key, &[value]).await.unwrap();
                if let Some(there) = model.get(&key) {
                    assert_eq!(created, Created::Exists(there.clone()));
                } else {
                    assert_eq!(created, Created::New);
                    model.insert(key, vec![value]);
                }
            }
            Write::Delete(key) => {
                records.delete(&key).await.unwrap();
                model.remove(&key);
                assert_eq!(records.get(&key).await.unwrap(), None);
            }
            Write::List {
                prefix,
                after,
                limit,
            } => {
                let listed = records
                    .list(&prefix, after.as_deref(), limit)
                    .await
                    .unwrap();
                let expected: Vec<_> = model
                    .iter()
                    .filter(|(key, _)| key.starts_with(&prefix))
                    .filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after))
                    .take(limit)
                    .map(|(key, value)| Entry {
                        key: key.clone(),
                        value: value.clone(),
                    })
                    .collect();
                assert_eq!(listed, expected);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn queues_do_as_their_model(steps in proptest::collection::vec(step(), 1..40)) {
        for (_, fresh) in ALL {
            let fresh = fresh();
            block_on(compare(&fresh.one, &fresh.clock, steps.clone()));
        }
    }

    #[test]
    fn records_do_as_their_model(writes in proptest::collection::vec(write(), 1..40)) {
        for (_, fresh) in ALL {
            block_on(compare_records(&fresh().one, writes.clone()));
        }
    }
}

proptest! {
    // Each step is some requests to another process.
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..Default::default() })]

    #[test]
    fn queues_of_an_account_do_as_their_model(steps in proptest::collection::vec(step(), 1..40)) {
        if azurite::is_there() {
            let fresh = in_account();
            block_on(compare(&fresh.one, &fresh.clock, steps));
        }
    }

    #[test]
    fn records_of_an_account_do_as_their_model(
        writes in proptest::collection::vec(write(), 1..40),
    ) {
        if azurite::is_there() {
            block_on(compare_records(&in_account().one, writes));
        }
    }
}
