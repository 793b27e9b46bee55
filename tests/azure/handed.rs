//! Messages that somebody else received from the service and hands over, as the Functions host does.

use std::{sync::Arc, time::Duration};

use septet::store::{Handed, Message, Queues};

use crate::{
    store::backends::{Fresh, block_on, in_account},
    support::azurite,
};

const MINUTE: Duration = Duration::from_mins(1);

/// A message of the queue `train`, sent and handed over under the service's name `id`.
async fn sent(queues: &Arc<dyn Queues>, id: &str) -> Handed {
    let body = br#"{"specversion":"1.0","id":"m","source":"septet","type":"t","group":"run/0"}"#;
    let message = Message::new("m", *body).in_group("run/0");
    queues
        .send("train", &message, Duration::ZERO)
        .await
        .unwrap();
    Handed {
        id: id.to_owned(),
        body: body.to_vec(),
        dequeue_count: 1,
    }
}

fn with(check: impl AsyncFn(Fresh)) {
    if azurite::is_there() {
        let fresh = in_account();
        block_on(check(fresh));
    }
}

#[test]
fn one_has_what_is_handed_over_and_ends_it() {
    with(async |fresh| {
        let (one, two) = (&fresh.one.queues, &fresh.two.queues);
        let handed = sent(one, "first").await;
        let received = one.adopt("train", &handed, MINUTE).await.unwrap().unwrap();
        assert_eq!(
            (received.message.id.as_str(), received.dequeue_count),
            ("m", 1)
        );
        // The same under another name is another's while the lease is live.
        let other = Handed {
            id: "second".to_owned(),
            ..handed.clone()
        };
        assert!(two.adopt("train", &other, MINUTE).await.unwrap().is_none());
        fresh.later(MINUTE / 2);
        assert!(one.renew(&received, MINUTE).await.unwrap());
        fresh.later(MINUTE / 2 + MINUTE / 4);
        assert!(two.adopt("train", &other, MINUTE).await.unwrap().is_none());
        // Under the same name its holder has lost it.
        let again = two.adopt("train", &handed, MINUTE).await.unwrap().unwrap();
        assert_eq!(again.dequeue_count, 2);
        assert!(!one.renew(&received, MINUTE).await.unwrap());
        assert!(!one.acknowledge(&received).await.unwrap());
        assert!(two.acknowledge(&again).await.unwrap());
        // It is gone, whoever comes with it.
        assert!(one.adopt("train", &handed, MINUTE).await.unwrap().is_none());
        assert!(one.of_group("run/0", 9).await.unwrap().is_empty());
        assert!(two.receive(&["train"], MINUTE).await.unwrap().is_none());
    });
}

#[test]
fn what_is_given_back_comes_again_by_a_message_of_its_own() {
    with(async |fresh| {
        let queues = &fresh.one.queues;
        let handed = sent(queues, "first").await;
        let received = queues
            .adopt("train", &handed, MINUTE)
            .await
            .unwrap()
            .unwrap();
        assert!(queues.release(&received, MINUTE).await.unwrap());
        assert!(!queues.acknowledge(&received).await.unwrap());
        // The message that was sent at first is still there here, and does no harm: one has it.
        fresh.later(2 * MINUTE);
        let again = queues.receive(&["train"], MINUTE).await.unwrap().unwrap();
        assert_eq!((again.message.id.as_str(), again.dequeue_count), ("m", 2));
        assert!(queues.receive(&["train"], MINUTE).await.unwrap().is_none());
        assert!(queues.acknowledge(&again).await.unwrap());
        fresh.later(2 * MINUTE);
        assert!(queues.receive(&["train"], MINUTE).await.unwrap().is_none());
    });
}

#[test]
fn what_a_lost_process_held_is_sent_again() {
    with(async |fresh| {
        let (one, two) = (&fresh.one.queues, &fresh.two.queues);
        let handed = sent(one, "first").await;
        // The one that was put at first is with the host, which hides it for ten minutes.
        let hidden = one.receive(&["train"], 10 * MINUTE).await.unwrap().unwrap();
        assert!(two.adopt("train", &handed, MINUTE).await.unwrap().is_none());
        assert!(one.release(&hidden, 10 * MINUTE).await.unwrap());
        let lost = one.adopt("train", &handed, MINUTE).await.unwrap().unwrap();
        assert_eq!(two.revive("run/0").await.unwrap(), 0);
        fresh.later(MINUTE + Duration::from_secs(5));
        assert_eq!(two.revive("run/0").await.unwrap(), 1);
        assert_eq!(two.revive("run/0").await.unwrap(), 0);
        assert!(!one.renew(&lost, MINUTE).await.unwrap());
        let received = two.receive(&["train"], MINUTE).await.unwrap().unwrap();
        assert_eq!(received.message.id, "m");
        assert!(two.acknowledge(&received).await.unwrap());
        fresh.later(10 * MINUTE);
        assert!(two.receive(&["train"], MINUTE).await.unwrap().is_none());
    });
}

#[test]
fn what_nobody_answers_for_is_put_again_after_ever_longer_waits() {
    with(async |fresh| {
        let queues = &fresh.one.queues;
        sent(queues, "first").await;
        let later = Message::new("later", "later").in_group("run/0");
        queues.send("train", &later, 60 * MINUTE).await.unwrap();
        // Either its receiver was lost before it said so, or it waits in a line: nobody can tell.
        assert_eq!(queues.revive("run/0").await.unwrap(), 0);
        let second = Duration::from_secs(1);
        fresh.later(MINUTE + second);
        assert_eq!(queues.revive("run/0").await.unwrap(), 1);
        fresh.later(MINUTE + second);
        assert_eq!(queues.revive("run/0").await.unwrap(), 0);
        fresh.later(MINUTE + second);
        assert_eq!(queues.revive("run/0").await.unwrap(), 1);
        // However many there are of it, one is handed out.
        let received = queues.receive(&["train"], MINUTE).await.unwrap().unwrap();
        assert_eq!(
            (received.message.id.as_str(), received.dequeue_count),
            ("m", 1)
        );
        assert!(queues.receive(&["train"], MINUTE).await.unwrap().is_none());
        assert!(queues.acknowledge(&received).await.unwrap());
        fresh.later(2 * MINUTE);
        assert!(queues.receive(&["train"], MINUTE).await.unwrap().is_none());
    });
}

#[test]
fn what_is_none_of_ours_is_handed_over_as_it_is() {
    with(async |fresh| {
        let queues = &fresh.one.queues;
        let handed = Handed {
            id: "service".to_owned(),
            body: b"from elsewhere".to_vec(),
            dequeue_count: 3,
        };
        let received = queues
            .adopt("train", &handed, MINUTE)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(received.message.body, handed.body);
        assert_eq!(received.dequeue_count, 3);
        assert!(queues.renew(&received, MINUTE).await.unwrap());
        assert!(queues.acknowledge(&received).await.unwrap());
        assert!(queues.release(&received, MINUTE).await.unwrap());
        assert!(queues.receive(&["train"], MINUTE).await.unwrap().is_none());
        fresh.later(MINUTE);
        let again = queues.receive(&["train"], MINUTE).await.unwrap().unwrap();
        assert_eq!(again.message.body, handed.body);
        assert!(queues.acknowledge(&again).await.unwrap());
        assert!(!queues.acknowledge(&again).await.unwrap());
    });
}

#[test]
fn a_large_blob_goes_in_blocks_and_comes_back() {
    with(async |fresh| {
        let bytes: Vec<u8> = (0..20_000_003_u32).map(|i| (i % 253) as u8).collect();
        let digest = fresh.one.blobs.put(&bytes).await.unwrap();
        let read = fresh.two.blobs.get(&digest, 30_000_000).await.unwrap();
        assert!(read == bytes);
        assert_eq!(fresh.two.blobs.put(&bytes).await.unwrap(), digest);
        let size = fresh.one.blobs.touch(&digest).await.unwrap();
        assert_eq!(size, Some(bytes.len() as u64));
    });
}
