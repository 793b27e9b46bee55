//! What the records and queues of every backend do, and what the pipeline may therefore rely on.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use septet::store::{Created, MAX_BODY, Message, Store};

use super::backends::everywhere;

const MINUTE: Duration = Duration::from_mins(1);

fn message(id: &str) -> Message {
    Message::new(id, format!("body of {id}"))
}

#[test]
fn a_record_is_created_once() {
    everywhere(|fresh| async move {
        let (one, two) = (&fresh.one.records, &fresh.two.records);
        assert_eq!(one.get("a/b").await.unwrap(), None);
        assert_eq!(one.create("a/b", b"first").await.unwrap(), Created::New);
        let exists = Created::Exists(b"first".to_vec());
        assert_eq!(two.create("a/b", b"second").await.unwrap(), exists);
        assert_eq!(two.get("a/b").await.unwrap(), Some(b"first".to_vec()));
        two.delete("a/b").await.unwrap();
        two.delete("a/b").await.unwrap();
        assert_eq!(one.get("a/b").await.unwrap(), None);
        assert_eq!(one.create("a/b", &[0, 255]).await.unwrap(), Created::New);
        for key in ["", "a//b", "/a", "a b", "../a"] {
            assert!(one.create(key, b"").await.is_err(), "{key}");
        }
    });
}

#[test]
fn a_race_to_create_has_one_winner() {
    everywhere(|fresh| async move {
        for round in 0..10 {
            let key = format!("race/{round}");
            let racers: Vec<_> = (0..8_u8)
                .map(|racer| {
                    let store: Store = [&fresh.one, &fresh.two][usize::from(racer % 2)].clone();
                    let key = key.clone();
                    tokio::spawn(async move { store.records.create(&key, &[racer]).await.unwrap() })
                })
                .collect();
            let (mut winners, mut seen) = (0, BTreeSet::new());
            for racer in racers {
                match racer.await.unwrap() {
                    Created::New => winners += 1,
                    Created::Exists(value) => {
                        seen.insert(value);
                    }
                }
            }
            assert_eq!((winners, seen.len()), (1, 1));
            let stored = fresh.one.records.get(&key).await.unwrap();
            assert_eq!(stored, seen.first().cloned());
        }
    });
}

#[test]
fn records_are_listed_in_order_and_in_pages() {
    everywhere(|fresh| async move {
        let records = &fresh.one.records;
        let mut keys = vec![
            "a", "b/10", "b/2", "b/A", "b/_", "b/a", "b/a-", "b/a/1", "b/~", "ba",
        ];
        for key in keys.iter().rev() {
            records.create(key, key.as_bytes()).await.unwrap();
        }
        keys.retain(|key| key.starts_with("b/"));
        keys.sort_unstable();
        let listed = async |prefix: &str, after: Option<&str>, limit| {
            let entries = fresh.two.records.list(prefix, after, limit).await.unwrap();
            assert!(
                entries
                    .iter()
                    .all(|entry| entry.value == entry.key.as_bytes())
            );
            let keys = entries.into_iter().map(|entry| entry.key);
            keys.collect::<Vec<_>>()
        };
        assert_eq!(listed("b/", None, 100).await, keys);
        assert_eq!(listed("b/", None, 0).await, Vec::<String>::new());
        assert_eq!(listed("b/a", None, 100).await, ["b/a", "b/a-", "b/a/1"]);
        assert_eq!(listed("c", None, 100).await, Vec::<String>::new());
        assert_eq!(listed("b/", Some("a"), 1).await, keys[..1]);
        assert_eq!(listed("b/", Some("c"), 1).await, Vec::<String>::new());
        assert_eq!(listed("", None, 2).await, ["a", "b/10"]);
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let page = listed("b/", after.as_deref(), 3).await;
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            paged.extend(page);
        }
        assert_eq!(paged, keys);
    });
}

#[test]
fn a_message_is_leased_to_one_and_comes_back() {
    everywhere(|fresh| async move {
        let (one, two) = (&fresh.one.queues, &fresh.two.queues);
        one.send("train", &message("m"), Duration::ZERO)
            .await
            .unwrap();
        let first = one.receive(&["train"], MINUTE).await.unwrap().unwrap();
        assert_eq!((&first.message, first.dequeue_count), (&message("m"), 1));
        assert_eq!(first.queue, "train");
        assert_eq!(two.receive(&["train"], MINUTE).await.unwrap(), None);

        // A lease that is renewed lasts on.
        fresh.later(Duration::from_secs(50));
        assert!(one.renew(&first, MINUTE).await.unwrap());
        fresh.later(Duration::from_secs(50));
        assert_eq!(two.receive(&["train"], MINUTE).await.unwrap(), None);

        // One that has run out goes to the next, and the first has lost all power over it.
        fresh.later(Duration::from_secs(11));
        let second = two.receive(&["train"], MINUTE).await.unwrap().unwrap();
        assert_eq!(second.dequeue_count, 2);
        assert!(!one.renew(&first, MINUTE).await.unwrap());
        assert!(!one.acknowledge(&first).await.unwrap());
        assert!(!one.release(&first, Duration::ZERO).await.unwrap());

        // Given back, it is there again after the delay.
        assert!(two.release(&second, MINUTE).await.unwrap());
        assert!(!two.acknowledge(&second).await.unwrap());
        assert_eq!(one.receive(&["train"], MINUTE).await.unwrap(), None);
        fresh.later(MINUTE);
        let third = one.receive(&["train"], MINUTE).await.unwrap().unwrap();
        assert_eq!(third.dequeue_count, 3);
        assert!(two.acknowledge(&third).await.unwrap());
        assert!(!two.acknowledge(&third).await.unwrap());
        fresh.later(2 * MINUTE);
        assert_eq!(one.receive(&["train"], MINUTE).await.unwrap(), None);
    });
}

#[test]
fn a_lease_that_ran_out_unnoticed_can_still_be_used() {
    everywhere(|fresh| async move {
        let queues = &fresh.one.queues;
        queues
            .send("q", &message("m"), Duration::ZERO)
            .await
            .unwrap();
        let received = queues.receive(&["q"], MINUTE).await.unwrap().unwrap();
        fresh.later(2 * MINUTE);
        assert!(queues.renew(&received, MINUTE).await.unwrap());
        assert_eq!(queues.receive(&["q"], MINUTE).await.unwrap(), None);
        fresh.later(2 * MINUTE);
        assert!(queues.acknowledge(&received).await.unwrap());
    });
}

#[test]
fn queues_are_tried_in_order_and_oldest_first() {
    everywhere(|fresh| async move {
        let queues = &fresh.one.queues;
        for (queue, id, delay) in [
            ("b", "b1", 0),
            ("a", "a1", 30),
            ("a", "a2", 0),
            ("b", "b2", 0),
            ("a", "a3", 0),
        ] {
            let delay = Duration::from_secs(delay);
            queues.send(queue, &message(id), delay).await.unwrap();
        }
        let counts = vec![("a".to_owned(), 3), ("b".to_owned(), 2)];
        assert_eq!(fresh.two.queues.counts().await.unwrap(), counts);
        let next = async || {
            let received = fresh.two.queues.receive(&["a", "b"], MINUTE).await.unwrap();
            received.map(|received| received.message.id)
        };
        assert_eq!(next().await.as_deref(), Some("a2"));
        fresh.later(Duration::from_secs(30));
        // A delayed message takes its turn from when it can be received.
        for id in ["a3", "a1", "b1", "b2"] {
            assert_eq!(next().await.as_deref(), Some(id));
        }
        assert_eq!(next().await, None);
        // To look needs no lease and sees the leased ones.
        let seen = queues.peek("a", 2).await.unwrap();
        assert_eq!(seen, [message("a1"), message("a2")]);
        assert!(queues.peek("c", 2).await.unwrap().is_empty());
        assert!(queues.remove("a", "a2").await.unwrap());
        assert!(!queues.remove("a", "a2").await.unwrap());
        assert!(!queues.remove("c", "a2").await.unwrap());
        assert_eq!(queues.peek("a", 9).await.unwrap().len(), 2);
        assert!(queues.receive(&[], MINUTE).await.unwrap().is_none());
    });
}

#[test]
fn messages_are_found_and_swept_by_group() {
    everywhere(|fresh| async move {
        let queues = &fresh.one.queues;
        for (queue, id, group) in [
            ("a", "1", "run/1"),
            ("b", "2", "run/1"),
            ("a", "3", "run/10"),
            ("a", "4", ""),
            ("b", "5", "run/1"),
        ] {
            let message = message(id).in_group(group);
            queues.send(queue, &message, Duration::ZERO).await.unwrap();
        }
        let leased = queues.receive(&["b"], MINUTE).await.unwrap().unwrap();
        assert_eq!(leased.message.group, "run/1");
        let found = fresh.two.queues.of_group("run/1", 9).await.unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(queue, message)| (queue.as_str(), message.id.as_str()))
            .collect();
        assert_eq!(found, [("a", "1"), ("b", "2"), ("b", "5")]);
        assert_eq!(queues.of_group("run/1", 2).await.unwrap().len(), 2);
        assert_eq!(fresh.two.queues.sweep("run/1").await.unwrap(), 3);
        assert_eq!(queues.sweep("run/1").await.unwrap(), 0);
        // The lease of a message that was swept is lost.
        assert!(!queues.renew(&leased, MINUTE).await.unwrap());
        assert!(queues.of_group("run/1", 9).await.unwrap().is_empty());
        assert!(queues.of_group("", 9).await.is_err());
        assert!(queues.sweep("").await.is_err());
        let left = queues.peek("a", 9).await.unwrap();
        assert_eq!(left, [message("3").in_group("run/10"), message("4")]);
        let odd = message("6").in_group("a b");
        assert!(queues.send("a", &odd, Duration::ZERO).await.is_err());
    });
}

#[test]
fn what_cannot_be_sent_is_refused() {
    everywhere(|fresh| async move {
        let queues = &fresh.one.queues;
        let large = Message::new("m", vec![0; MAX_BODY + 1]);
        assert!(queues.send("q", &large, Duration::ZERO).await.is_err());
        for name in ["", "Q", "a/b", "-a"] {
            assert!(
                queues
                    .send(name, &message("m"), Duration::ZERO)
                    .await
                    .is_err()
            );
        }
        let largest = Message::new("m", vec![255; MAX_BODY]);
        queues.send("q", &largest, Duration::ZERO).await.unwrap();
        assert_eq!(queues.peek("q", 1).await.unwrap(), [largest]);
    });
}

#[test]
fn many_receivers_get_each_message_once() {
    everywhere(|fresh| async move {
        for i in 0..40 {
            let message = message(&format!("m{i}"));
            fresh
                .one
                .queues
                .send("q", &message, Duration::ZERO)
                .await
                .unwrap();
        }
        let one = Arc::new(fresh.one.clone());
        let two = Arc::new(fresh.two.clone());
        let receivers: Vec<_> = (0..4)
            .map(|i| {
                let store = Arc::clone([&one, &two][i % 2]);
                tokio::spawn(async move {
                    let mut got = Vec::new();
                    while let Some(received) = store.queues.receive(&["q"], MINUTE).await.unwrap() {
                        assert!(store.queues.acknowledge(&received).await.unwrap());
                        got.push(received.message.id);
                    }
                    got
                })
            })
            .collect();
        let mut all = Vec::new();
        for receiver in receivers {
            all.extend(receiver.await.unwrap());
        }
        assert_eq!(all.len(), 40);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 40);
        assert!(fresh.one.queues.counts().await.unwrap().is_empty());
    });
}

#[test]
fn a_clock_that_is_set_hides_nothing_and_takes_nothing_away() {
    const HOURS: i64 = 2 * 60 * 60 * 1000;
    for by in [-HOURS, HOURS] {
        everywhere(|fresh| async move {
            let (queues, other) = (&fresh.one.queues, &fresh.two.queues);
            let receive = async |queues: &Arc<dyn septet::store::Queues>| {
                let received = queues.receive(&["q"], MINUTE).await.unwrap();
                received.map(|received| received.message.id)
            };
            // Both have looked before, and one message is at work, one waits, one comes later.
            for (id, delay) in [("leased", Duration::ZERO), ("late", MINUTE)] {
                queues.send("q", &message(id), delay).await.unwrap();
            }
            let leased = queues.receive(&["q"], MINUTE).await.unwrap().unwrap();
            assert_eq!(leased.message.id, "leased");
            assert_eq!(receive(other).await, None);
            fresh.later(Duration::from_secs(2));
            let waits = message("waits");
            queues.send("q", &waits, Duration::ZERO).await.unwrap();

            fresh.clock.set_by(by);
            fresh.later(Duration::from_secs(2));
            assert_eq!(receive(queues).await.as_deref(), Some("waits"));
            // A delay may end early where the clock went forward; nothing else is there.
            let next = receive(other).await;
            assert!(matches!(next.as_deref(), None | Some("late")), "{next:?}");
            assert!(queues.renew(&leased, MINUTE).await.unwrap());
            assert_eq!(receive(other).await, None);
            fresh.later(MINUTE + MINUTE);
            let mut again = BTreeSet::new();
            while let Some(id) = receive(other).await {
                again.insert(id);
            }
            assert_eq!(again.len(), 3, "{again:?}");
        });
    }
}

#[test]
fn a_clock_that_was_set_while_nobody_looked_hides_nothing() {
    everywhere(|fresh| async move {
        let queues = &fresh.one.queues;
        for id in ["a", "b"] {
            queues
                .send("q", &message(id), Duration::ZERO)
                .await
                .unwrap();
        }
        fresh.clock.set_by(-100_000_000);
        fresh.later(Duration::from_millis(1));
        // The second handle is a process that begins now.
        let other = &fresh.two.queues;
        for _ in 0..2 {
            assert!(other.receive(&["q"], MINUTE).await.unwrap().is_some());
        }
        assert!(other.receive(&["q"], MINUTE).await.unwrap().is_none());
    });
}
