//! What only an encrypted store can suffer: the wrong key, and hands on its files.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, params};
use septet::{
    contract::Digest,
    store::{Access, BlobError, Created, Local, Message, Mode, Store, StoreKey},
};
use tempfile::TempDir;

use super::{
    backends::block_on,
    folder::{blob_path, contents},
};

/// As docs/encryption.md has it.
const HEADER: usize = 27;
const CHUNK: usize = 65_536 + 16;

const MINUTE: Duration = Duration::from_mins(1);

fn open(path: &Path, mode: Mode, key: Option<&StoreKey>) -> anyhow::Result<Store> {
    let access = Access {
        key: key.cloned(),
        ..Access::from(mode)
    };
    block_on(Local::open(path, access)).map(|local| local.store())
}

/// One clear line.
fn line<T>(result: anyhow::Result<T>) -> String {
    let line = format!("{:#}", result.err().expect("it must be refused"));
    assert!(!line.contains('\n') && !line.ends_with('.'), "{line}");
    line
}

struct Encrypted {
    _folder: TempDir,
    path: PathBuf,
    key: StoreKey,
    store: Store,
}

impl Encrypted {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store");
        let key = StoreKey::random().unwrap();
        let store = open(&path, Mode::Create, Some(&key)).unwrap();
        Self {
            _folder: folder,
            path,
            key,
            store,
        }
    }

    /// Another's hand on the database.
    fn database(&self) -> Connection {
        Connection::open(self.path.join("septet.db")).unwrap()
    }
}

/// Bytes of which no chunk is like another.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + i / 1021) as u8).collect()
}

#[test]
fn a_store_and_a_key_belong_together() {
    let Encrypted {
        _folder,
        path,
        key,
        store,
    } = Encrypted::new();
    block_on(store.records.create("a", b"value")).unwrap();
    drop(store);
    let plain = path.with_file_name("plain");
    drop(open(&plain, Mode::Create, None).unwrap());
    let before = (contents(&path), contents(&plain));
    let other = StoreKey::random().unwrap();
    for mode in [Mode::Create, Mode::Existing] {
        for (path, key, words) in [
            (&path, None, ["is encrypted", "SEPTET_STORE_KEY_FILE"]),
            (&path, Some(&other), ["another key", "--store"]),
            (&plain, Some(&key), ["is not encrypted", "--store"]),
        ] {
            let line = line(open(path, mode, key));
            assert!(words.iter().all(|word| line.contains(word)), "{line}");
            assert!(line.contains(path.to_str().unwrap()), "{line}");
        }
    }
    assert_eq!((contents(&path), contents(&plain)), before);
    let store = open(&path, Mode::Existing, Some(&key)).unwrap();
    let value = block_on(store.records.get("a")).unwrap();
    assert_eq!(value.as_deref(), Some(&b"value"[..]));
}

#[test]
fn what_a_key_is_checked_by_is_not_done_without() {
    for (sql, word) in [
        (
            "DELETE FROM meta WHERE name = 'encryption'",
            "not encrypted",
        ),
        ("DELETE FROM meta WHERE name = 'key-check'", "damaged"),
        ("DELETE FROM meta WHERE name = 'salt'", "damaged"),
        (
            "UPDATE meta SET value = x'32' WHERE name = 'encryption'",
            "newer",
        ),
        (
            "UPDATE meta SET value = x'00' WHERE name = 'salt'",
            "another key",
        ),
    ] {
        let encrypted = Encrypted::new();
        encrypted.database().execute(sql, []).unwrap();
        let key = Some(&encrypted.key);
        let line = line(open(&encrypted.path, Mode::Existing, key));
        assert!(line.contains(word), "{sql}: {line}");
    }
}

#[test]
fn of_two_who_make_a_store_with_two_keys_one_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let keys: Vec<_> = (0..4).map(|_| StoreKey::random().unwrap()).collect();
    let opened: Vec<_> = std::thread::scope(|scope| {
        let path = &path;
        let opening: Vec<_> = keys
            .iter()
            .map(|key| scope.spawn(move || open(path, Mode::Create, Some(key))))
            .collect();
        opening
            .into_iter()
            .map(|open| open.join().unwrap())
            .collect()
    });
    let mut made = 0;
    for store in opened {
        match store {
            Ok(_) => made += 1,
            Err(error) => assert!(format!("{error:#}").contains("another key"), "{error:#}"),
        }
    }
    assert_eq!(made, 1);
}

#[test]
fn nothing_of_what_is_kept_stands_in_its_files() {
    let encrypted = Encrypted::new();
    let Store {
        blobs,
        records,
        queues,
    } = &encrypted.store;
    let marker = b"Rumpelstilzchen";
    let value = [&marker[..], &bytes(3000), marker].concat();
    let digest = block_on(async {
        records.create("runs/a", &value).await.unwrap();
        // The answer to who comes second is the value, not what is kept of it.
        let there = records.create("runs/a", b"another").await.unwrap();
        assert_eq!(there, Created::Exists(value.clone()));
        let message = Message::new("m", value.clone()).in_group("g");
        queues
            .send("train", &message, Duration::ZERO)
            .await
            .unwrap();
        let mut blob = blobs.create().await.unwrap();
        for _ in 0..200 {
            blob.write(&value).await.unwrap();
        }
        // Unfinished blobs are files too.
        let mut unfinished = blobs.create().await.unwrap();
        unfinished.write(&value.repeat(200)).await.unwrap();
        assert_clear_of(&encrypted.path, marker);
        blob.finish().await.unwrap().0
    });
    assert_clear_of(&encrypted.path, marker);
    drop(encrypted.store);
    assert_clear_of(&encrypted.path, marker);

    let store = open(&encrypted.path, Mode::Existing, Some(&encrypted.key)).unwrap();
    block_on(async {
        let blob = store.blobs.get(&digest, 1 << 20).await.unwrap();
        assert_eq!(blob, value.repeat(200));
        let listed = store.blobs.list(None, 9).await.unwrap();
        let size = fs::metadata(blob_path(&encrypted.path, &digest))
            .unwrap()
            .len();
        assert_eq!((listed.len(), listed[0].size), (1, size));
        assert!(size > blob.len() as u64);
        let received = store.queues.receive(&["train"], MINUTE).await.unwrap();
        assert_eq!(received.unwrap().message.body, value);
    });
}

fn assert_clear_of(path: &Path, marker: &[u8]) {
    let files = contents(path);
    assert!(files.len() > 2);
    for (path, bytes) in files {
        let found = bytes.windows(marker.len()).any(|part| part == marker);
        assert!(!found, "{}", path.display());
    }
}

#[test]
fn a_blob_that_was_changed_is_not_read() {
    let encrypted = Encrypted::new();
    let blobs = &encrypted.store.blobs;
    let plain = bytes(3 * 65_536 + 100);
    let digest = block_on(blobs.put(&plain)).unwrap();
    let other = bytes(3 * 65_536 + 101);
    let other_path = blob_path(&encrypted.path, &block_on(blobs.put(&other)).unwrap());
    let path = blob_path(&encrypted.path, &digest);
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len(), HEADER + plain.len() + 4 * 16);
    let foreign = fs::read(&other_path).unwrap();
    let chunk = |number: usize| HEADER + number * CHUNK..HEADER + (number + 1) * CHUNK;

    let mut changed = vec![
        ("empty", Vec::new()),
        ("the header alone", whole[..HEADER].to_vec()),
        ("without the last chunk", whole[..chunk(2).end].to_vec()),
        ("without the last byte", whole[..whole.len() - 1].to_vec()),
        ("with a byte more", [&whole[..], &[0]].concat()),
        ("with a chunk twice", {
            [
                &whole[..chunk(1).end],
                &whole[chunk(1)],
                &whole[chunk(2).start..],
            ]
            .concat()
        }),
        ("without a chunk between", {
            [&whole[..chunk(1).start], &whole[chunk(2).start..]].concat()
        }),
        ("two chunks swapped", {
            let (first, second) = (&whole[chunk(0)], &whole[chunk(1)]);
            [&whole[..HEADER], second, first, &whole[chunk(2).start..]].concat()
        }),
        ("a chunk of another blob", {
            let (before, after) = (&whole[..chunk(1).start], &whole[chunk(2).start..]);
            [before, &foreign[chunk(1)], after].concat()
        }),
        ("another blob whole", foreign),
        ("the blob in the clear", plain.clone()),
    ];
    for at in [
        0,
        7,
        8,
        26,
        27,
        chunk(1).start,
        chunk(1).end - 1,
        whole.len() - 1,
    ] {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        changed.push(("a bit flipped", flipped));
    }
    for (what, bytes) in changed {
        fs::write(&path, bytes).unwrap();
        let opened = block_on(blobs.open(&digest));
        assert!(
            matches!(opened.err(), Some(BlobError::Corrupt { digest: d, .. }) if d == digest),
            "{what}"
        );
        assert_eq!(block_on(blobs.touch(&digest)).unwrap(), None, "{what}");
    }
    // Whoever makes it again heals it.
    assert_eq!(block_on(blobs.put(&plain)).unwrap(), digest);
    assert_eq!(block_on(blobs.get(&digest, 1 << 20)).unwrap(), plain);
}

#[test]
fn a_blob_that_is_changed_in_use_gives_no_other_bytes() {
    let encrypted = Encrypted::new();
    let blobs = &encrypted.store.blobs;
    let plain = bytes(4 * 65_536);
    let digest = block_on(blobs.put(&plain)).unwrap();
    let reader = block_on(blobs.open(&digest)).unwrap();
    let path = blob_path(&encrypted.path, &digest);
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[1; 8], (HEADER + CHUNK) as u64).unwrap();
    // What is not touched is read still: no chunk is read but those that are needed.
    let read = |offset, length| block_on(reader.read(offset, length));
    assert_eq!(read(0, 65_536).unwrap(), plain[..65_536]);
    assert_eq!(read(2 * 65_536, 9).unwrap(), plain[2 * 65_536..][..9]);
    let line = line(read(65_530, 10));
    assert!(line.contains("damaged"), "{line}");
}

#[test]
fn a_value_that_was_moved_is_refused() {
    let encrypted = Encrypted::new();
    let Store {
        records, queues, ..
    } = &encrypted.store;
    block_on(async {
        for (key, value) in [("a", b"1"), ("b", b"2")] {
            records.create(key, value).await.unwrap();
        }
        for (queue, id) in [("train", "m"), ("train", "n"), ("deploy", "o")] {
            let message = Message::new(id, id).in_group("g");
            queues.send(queue, &message, Duration::ZERO).await.unwrap();
        }
    });
    let database = encrypted.database();
    let change = |sql: &str| assert!(database.execute(sql, []).unwrap() > 0, "{sql}");
    let refused = |line: String, word: &str| {
        assert!(line.contains("damaged") && line.contains(word), "{line}");
    };

    change(
        "UPDATE records SET value = (SELECT value FROM records WHERE key = 'a') WHERE key = 'b'",
    );
    refused(line(block_on(records.get("b"))), "'b'");
    refused(line(block_on(records.list("", None, 9))), "'b'");
    refused(line(block_on(records.create("b", b"3"))), "'b'");
    change("UPDATE records SET value = x'00' WHERE key = 'b'");
    refused(line(block_on(records.get("b"))), "'b'");
    assert_eq!(block_on(records.get("a")).unwrap().unwrap(), b"1");

    // To another message, queue, or group.
    change("UPDATE messages SET body = (SELECT body FROM messages WHERE id = 'n') WHERE id = 'm'");
    refused(line(block_on(queues.peek("train", 9))), "'m'");
    refused(line(block_on(queues.receive(&["train"], MINUTE))), "'m'");
    // It hinders nobody for longer than a lease.
    let next = block_on(queues.receive(&["train"], MINUTE)).unwrap();
    assert_eq!(next.unwrap().message.body, b"n");
    assert!(block_on(queues.remove("train", "m")).unwrap());
    change("UPDATE messages SET queue = 'train' WHERE id = 'o'");
    refused(line(block_on(queues.receive(&["train"], MINUTE))), "'o'");
    change("UPDATE messages SET queue = 'deploy', grp = 'h' WHERE id = 'o'");
    refused(line(block_on(queues.of_group("h", 9))), "'o'");

    // A value in the clear is none.
    let plain = params!["c", b"in the clear"];
    let sql = "INSERT INTO records (key, value) VALUES (?1, ?2)";
    database.execute(sql, plain).unwrap();
    refused(line(block_on(records.get("c"))), "'c'");
}

#[test]
fn the_same_content_is_never_the_same_file() {
    let encrypted = Encrypted::new();
    let plain = bytes(1000);
    let digest = Digest::of(&plain);
    let file = || {
        block_on(encrypted.store.blobs.put(&plain)).unwrap();
        fs::read(blob_path(&encrypted.path, &digest)).unwrap()
    };
    let (first, second) = (file(), file());
    assert_eq!(first.len(), second.len());
    assert_ne!(first[8..HEADER], second[8..HEADER]);
    assert_ne!(first[HEADER..], second[HEADER..]);
}
