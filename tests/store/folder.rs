//! What can be wrong with a store's folder: one clear line each, and nothing changed.

use std::{
    fs,
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use septet::{
    contract::Digest,
    store::{BlobError, Local, Mode, Store},
};
use tempfile::TempDir;

use super::backends::block_on;

fn open(path: &Path, mode: Mode) -> anyhow::Result<Store> {
    block_on(Local::open(path, mode)).map(|local| local.store())
}

/// The one line that opening `path` ends with.
fn refusal(path: &Path, mode: Mode) -> String {
    let error = open(path, mode).err().expect("it cannot be opened");
    let line = format!("{error:#}");
    assert!(!line.contains('\n') && !line.ends_with('.'), "{line}");
    line
}

/// Every file under `path` with its bytes.
pub fn contents(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                found.push((path, bytes));
            }
        }
    }
    found.sort();
    found
}

pub fn blob_path(store: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.to_string();
    store.join("blobs").join(&hex[..2]).join(&hex[2..])
}

#[test]
fn a_store_is_its_owners_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a").join("store");
    let store = open(&path, Mode::Create).unwrap();
    let digest = block_on(store.blobs.put(b"secret")).unwrap();
    block_on(store.records.create("a", b"b")).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("septet.db")), 0o600);
    let blob = blob_path(&path, &digest);
    assert_eq!(mode(&blob), 0o600);
    assert_eq!(mode(blob.parent().unwrap()), 0o700);
    assert_eq!(fs::read(path.join(".gitignore")).unwrap(), b"*\n");
}

#[test]
fn a_store_is_not_made_by_those_who_only_look() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let line = refusal(&path, Mode::Existing);
    assert!(line.starts_with("there is no store at "), "{line}");
    assert!(!path.exists());
    let line = refusal(folder.path(), Mode::Existing);
    assert!(line.contains("has no septet.db"), "{line}");
    assert!(contents(folder.path()).is_empty());
}

#[test]
fn what_is_no_store_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("data.csv");
    fs::write(&file, "a,b\n").unwrap();
    let before = contents(folder.path());
    for mode in [Mode::Create, Mode::Existing] {
        let line = refusal(&file, mode);
        assert!(line.contains("it is a file"), "{line}");
    }
    let line = refusal(folder.path(), Mode::Create);
    assert!(line.contains("it is not empty"), "{line}");
    assert!(contents(folder.path()) == before);
}

#[test]
fn a_newer_store_is_refused_unchanged() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    drop(open(&path, Mode::Create).unwrap());
    let database = rusqlite::Connection::open(path.join("septet.db")).unwrap();
    database.pragma_update(None, "user_version", 7).unwrap();
    drop(database);
    let before = contents(&path);
    for mode in [Mode::Create, Mode::Existing] {
        let line = refusal(&path, mode);
        let expected = "was written by a newer septet (schema 7, this one knows 2)";
        assert!(line.contains(expected), "{line}");
    }
    assert!(contents(&path) == before);
}

#[test]
fn another_programs_database_is_refused() {
    let folder = TempDir::new().unwrap();
    let database = rusqlite::Connection::open(folder.path().join("septet.db")).unwrap();
    database.execute_batch("CREATE TABLE t (x)").unwrap();
    drop(database);
    let before = contents(folder.path());
    let line = refusal(folder.path(), Mode::Create);
    assert!(line.contains("is no store"), "{line}");
    assert!(contents(folder.path()) == before);
}

#[test]
fn a_damaged_database_is_told() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open(&path, Mode::Create).unwrap();
    for i in 0..200 {
        block_on(store.records.create(&format!("k/{i}"), &[7; 500])).unwrap();
    }
    drop(store);
    let file = path.join("septet.db");
    let whole = fs::read(&file).unwrap();
    fs::write(
        &file,
        "this is no database, however long it is; ".repeat(200),
    )
    .unwrap();
    let line = refusal(&path, Mode::Existing);
    assert!(line.contains("septet.db is damaged"), "{line}");

    // Damage farther in is met when it is read.
    let mut spoilt = whole;
    let length = spoilt.len();
    spoilt[4096..length].fill(0x5a);
    fs::write(&file, spoilt).unwrap();
    let met = open(&path, Mode::Existing)
        .and_then(|store| block_on(store.records.list("k/", None, 1000)).map(|_| ()));
    let line = format!("{:#}", met.unwrap_err());
    assert!(line.contains("septet.db is damaged"), "{line}");
}

#[test]
fn a_flipped_byte_is_told_and_healed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open(&path, Mode::Create).unwrap();
    let bytes = vec![1; 100_000];
    let digest = block_on(store.blobs.put(&bytes)).unwrap();
    let place = blob_path(&path, &digest);
    let file = fs::OpenOptions::new().write(true).open(&place).unwrap();
    file.write_at(&[2], 50_000).unwrap();
    match block_on(store.blobs.open(&digest)).err().unwrap() {
        BlobError::Corrupt {
            digest: d,
            place: p,
        } => {
            assert_eq!((d, p), (digest, place.display().to_string()));
        }
        other => panic!("{other}"),
    }
    // Not the blob any more: whoever would reuse it makes it again, and so heals it.
    assert_eq!(block_on(store.blobs.touch(&digest)).unwrap(), None);
    assert_eq!(block_on(store.blobs.put(&bytes)).unwrap(), digest);
    assert_eq!(block_on(store.blobs.get(&digest, 1 << 20)).unwrap(), bytes);
}

#[test]
fn an_open_blob_outlives_its_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open(&path, Mode::Create).unwrap();
    let digest = block_on(store.blobs.put(b"still here")).unwrap();
    let reader = block_on(store.blobs.open(&digest)).unwrap();
    fs::remove_file(blob_path(&path, &digest)).unwrap();
    assert_eq!(block_on(reader.read(0, 100)).unwrap(), b"still here");
    let error = block_on(store.blobs.open(&digest)).err().unwrap();
    assert!(error.to_string().contains("there is no blob"));
}

#[test]
fn touching_marks_a_blob_as_used_now() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let store = open(&path, Mode::Create).unwrap();
    let digest = block_on(store.blobs.put(b"old")).unwrap();
    let place = blob_path(&path, &digest);
    let age = || {
        let modified = fs::metadata(&place).unwrap().modified().unwrap();
        SystemTime::now()
            .duration_since(modified)
            .unwrap_or_default()
    };
    let make_old = || {
        let file = fs::OpenOptions::new().write(true).open(&place).unwrap();
        let year = Duration::from_hours(365 * 24);
        file.set_modified(SystemTime::now() - year).unwrap();
    };
    make_old();
    block_on(store.blobs.touch(&digest)).unwrap();
    assert!(age() < Duration::from_mins(1));
    make_old();
    block_on(store.blobs.put(b"old")).unwrap();
    assert!(age() < Duration::from_mins(1));
}

#[test]
fn what_a_crash_left_unfinished_is_swept() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    drop(open(&path, Mode::Create).unwrap());
    let (old, young) = (path.join("unfinished/old"), path.join("unfinished/young"));
    fs::write(&young, "y").unwrap();
    fs::write(&old, "o").unwrap();
    let days = Duration::from_hours(72);
    let file = fs::OpenOptions::new().write(true).open(&old).unwrap();
    file.set_modified(SystemTime::now() - days).unwrap();
    drop(open(&path, Mode::Existing).unwrap());
    assert!(!old.exists() && young.exists());
}

#[test]
fn many_may_make_the_same_store_at_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store");
    let makers: Vec<_> = (0..6)
        .map(|i| {
            let path = path.clone();
            std::thread::spawn(move || {
                let store = open(&path, Mode::Create).unwrap();
                block_on(store.records.create(&format!("maker/{i}"), b"")).unwrap();
            })
        })
        .collect();
    for maker in makers {
        maker.join().unwrap();
    }
    let store = open(&path, Mode::Existing).unwrap();
    assert_eq!(
        block_on(store.records.list("maker/", None, 9))
            .unwrap()
            .len(),
        6
    );
}
