//! What the blobs of every backend do.

use std::{sync::Arc, time::Duration};

use septet::{
    contract::Digest,
    store::{BlobError, Clock as _},
};

use super::backends::everywhere;

#[test]
fn a_blob_is_what_was_written() {
    everywhere(|fresh| async move {
        let (blobs, other) = (&fresh.one.blobs, &fresh.two.blobs);
        // Longer than one piece of the writer's, in uneven parts.
        let bytes: Vec<u8> = (0..700_001_u32).map(|i| (i % 251) as u8).collect();
        let mut writer = blobs.create().await.unwrap();
        for part in bytes.chunks(99_991) {
            writer.write(part).await.unwrap();
        }
        let (digest, size) = writer.finish().await.unwrap();
        assert_eq!((digest, size), (Digest::of(&bytes), bytes.len() as u64));
        assert_eq!(other.get(&digest, size).await.unwrap(), bytes);
        assert!(other.get(&digest, size - 1).await.is_err());

        let reader = other.open(&digest).await.unwrap();
        assert_eq!(reader.size(), size);
        assert_eq!(reader.read(10, 5).await.unwrap(), bytes[10..15]);
        assert_eq!(
            reader.read(size - 3, 100).await.unwrap(),
            bytes[size as usize - 3..]
        );
        assert!(reader.read(size, 1).await.unwrap().is_empty());
        assert!(reader.read(u64::MAX, u32::MAX).await.unwrap().is_empty());

        assert_eq!(blobs.put(&bytes).await.unwrap(), digest);
        assert_eq!(blobs.touch(&digest).await.unwrap(), Some(size));
        let empty = blobs.put(b"").await.unwrap();
        assert_eq!(empty, Digest::of(b""));
        assert!(other.get(&empty, 0).await.unwrap().is_empty());
        assert_eq!((fresh.unfinished)(), 0);
    });
}

#[test]
fn a_blob_that_was_dropped_leaves_nothing() {
    everywhere(|fresh| async move {
        let blobs = &fresh.one.blobs;
        let bytes = vec![7; 600_000];
        let digest = Digest::of(&bytes);
        let mut writer = blobs.create().await.unwrap();
        writer.write(&bytes).await.unwrap();
        assert!(matches!(blobs.open(&digest).await, Err(BlobError::Missing(d)) if d == digest));
        drop(writer);
        assert!(matches!(
            blobs.open(&digest).await,
            Err(BlobError::Missing(_))
        ));
        assert_eq!(blobs.touch(&digest).await.unwrap(), None);
        assert_eq!((fresh.unfinished)(), 0);
    });
}

#[test]
fn blobs_are_listed_in_order_and_in_pages() {
    everywhere(|fresh| async move {
        let blobs = &fresh.one.blobs;
        let mut digests = Vec::new();
        for number in 0..20_u8 {
            digests.push(blobs.put(&[number]).await.unwrap());
        }
        digests.sort_unstable();
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = fresh.two.blobs.list(after.as_ref(), 7).await.unwrap();
            let Some(last) = page.last() else { break };
            assert!(page.len() <= 7);
            after = Some(last.digest);
            listed.extend(page);
        }
        let found: Vec<_> = listed.iter().map(|blob| blob.digest).collect();
        assert_eq!(found, digests);
        assert!(listed.iter().all(|blob| blob.size >= 1));
        let now = fresh.clock.now();
        assert!(listed.iter().all(|blob| blob.used == now), "{listed:?}");
    });
}

#[test]
fn a_blob_is_deleted_only_as_it_was_seen() {
    everywhere(|fresh| async move {
        let (one, two) = (&fresh.one.blobs, &fresh.two.blobs);
        let see = async || two.list(None, 9).await.unwrap().remove(0);
        let digest = one.put(b"content").await.unwrap();
        let seen = see().await;
        // Touched, or written again, it is in use.
        fresh.later(Duration::from_secs(1));
        assert_eq!(one.touch(&digest).await.unwrap(), Some(7));
        assert!(!two.remove(&seen).await.unwrap());
        let seen = see().await;
        assert_eq!(seen.used, fresh.clock.now());
        fresh.later(Duration::from_secs(1));
        one.put(b"content").await.unwrap();
        assert!(!two.remove(&seen).await.unwrap());
        assert_eq!(one.get(&digest, 9).await.unwrap(), b"content");
        // Who has it open keeps it.
        let reader = one.open(&digest).await.unwrap();
        let seen = see().await;
        assert!(two.remove(&seen).await.unwrap());
        assert_eq!(reader.read(0, 9).await.unwrap(), b"content");
        assert_eq!(one.touch(&digest).await.unwrap(), None);
        assert!(matches!(
            one.open(&digest).await,
            Err(BlobError::Missing(_))
        ));
        assert!(!two.remove(&seen).await.unwrap());
        assert_eq!(two.list(None, 9).await.unwrap(), []);
        // It can be made again.
        assert_eq!(one.put(b"content").await.unwrap(), digest);
        assert_eq!(two.touch(&digest).await.unwrap(), Some(7));
    });
}

#[test]
fn users_and_deleters_of_a_blob_do_not_cross() {
    everywhere(|fresh| async move {
        let digest = fresh.one.blobs.put(b"content").await.unwrap();
        let deleting = {
            let (blobs, clock) = (Arc::clone(&fresh.two.blobs), fresh.clock.clone());
            tokio::spawn(async move {
                for _ in 0..60 {
                    clock.advance(Duration::from_millis(1));
                    for seen in blobs.list(None, 9).await.unwrap() {
                        blobs.remove(&seen).await.unwrap();
                    }
                }
            })
        };
        while !deleting.is_finished() {
            // Who was told that it is there has marked it: only a later look may delete it.
            let before = fresh.clock.now();
            match fresh.one.blobs.touch(&digest).await.unwrap() {
                None => drop(fresh.one.blobs.put(b"content").await.unwrap()),
                Some(size) => assert_eq!(size, 7, "touched after {before}"),
            }
        }
        deleting.await.unwrap();
        fresh.one.blobs.put(b"content").await.unwrap();
        assert_eq!(fresh.two.blobs.get(&digest, 9).await.unwrap(), b"content");
    });
}
