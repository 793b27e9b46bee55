//! Native code, kept between starts.
//!
//! A file holds the compiled form of one component for one engine, with a sha-256 of it. Loading
//! native code is running it, so the folder belongs to one user alone and a file is read only if
//! everything about it is right. Anything wrong means compiling again, never an error.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    hash::{Hash as _, Hasher},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use sha2::Digest as _;
use wasmtime::{Engine, component::Component};

use crate::contract::Digest;

const MAGIC: &[u8; 8] = b"SEPTETN1";
const HEADER: usize = MAGIC.len() + 32;

/// Native code of engines that nothing was added for since then is taken away.
const OLD: Duration = Duration::from_hours(60 * 24);

/// More than any component in the limits compiles to.
const LARGEST: u64 = 2 << 30;

/// The folder of native code.
#[derive(Clone, Debug)]
pub struct NativeCache {
    folder: PathBuf,
}

impl NativeCache {
    /// The cache in `native` of `cache`, which is Septet's own cache folder. Nothing is made before
    /// it is used.
    pub fn new(cache: &Path) -> Self {
        Self {
            folder: cache.join("native"),
        }
    }

    /// The component's native code, if it is there and right.
    pub(crate) fn load(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        match self.try_load(engine, digest) {
            Ok(component) => Some(component),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::debug!("native code of {} is not used: {error}", digest.short());
                None
            }
        }
    }

    /// Keeps the component's native code.
    pub(crate) fn save(&self, engine: &Engine, digest: &Digest, component: &Component) {
        if let Err(error) = self.try_save(engine, digest, component) {
            tracing::debug!("native code of {} is not kept: {error}", digest.short());
        }
    }

    fn try_load(&self, engine: &Engine, digest: &Digest) -> io::Result<Component> {
        let folder = self.folder.join(engine_key(engine));
        for folder in [&self.folder, &folder] {
            check_folder(folder)?;
        }
        let mut file = open(&folder.join(file_name(digest)))?;
        let size = check_file(&file)?;
        let mut bytes = Vec::with_capacity(size as usize);
        io::Read::by_ref(&mut file)
            .take(LARGEST)
            .read_to_end(&mut bytes)?;
        let wrong = || io::Error::other("it is damaged");
        let (header, code) = bytes.split_at_checked(HEADER).ok_or_else(wrong)?;
        let (magic, sum) = header.split_at_checked(MAGIC.len()).ok_or_else(wrong)?;
        if magic != MAGIC || sum != sha2::Sha256::digest(code).as_slice() {
            return Err(wrong());
        }
        // SAFETY: `deserialize` runs what it is given. These bytes were written by `try_save`
        // of a process of the same user: the folder and the file belong to that user and nobody
        // else may write there, and their sha-256 is the one that was written with them.
        let component = unsafe { Component::deserialize(engine, code) };
        component.map_err(|error| io::Error::other(format!("{error:#}")))
    }

    fn try_save(&self, engine: &Engine, digest: &Digest, component: &Component) -> io::Result<()> {
        let folder = self.folder.join(engine_key(engine));
        if !folder.exists() {
            create_folder(&folder)?;
            self.remove_old();
        }
        for folder in [&self.folder, &folder] {
            check_folder(folder)?;
        }
        let code = component
            .serialize()
            .map_err(|error| io::Error::other(format!("{error:#}")))?;
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        file.write_all(MAGIC)?;
        file.write_all(&sha2::Sha256::digest(&code))?;
        file.write_all(&code)?;
        file.persist(folder.join(file_name(digest)))?;
        Ok(())
    }
}

impl NativeCache {
    /// Removes what other versions have left. A new version makes a new folder, so this is when
    /// old ones are looked for; one that is in use all the same is only compiled again.
    fn remove_old(&self) {
        let is_old = |path: &Path| {
            let modified = fs::symlink_metadata(path).and_then(|found| found.modified());
            modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > OLD))
        };
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if is_old(&path) {
                let removed = fs::remove_dir_all(&path);
                tracing::debug!("old native code in {}: {removed:?}", path.display());
            }
        }
    }
}

fn file_name(digest: &Digest) -> String {
    format!("{digest}.cwasm")
}

/// Names everything about an engine that its native code depends on.
pub(crate) fn engine_key(engine: &Engine) -> String {
    /// `Hash` feeds sha-256, whose result does not depend on the standard library's version.
    struct Sha(sha2::Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut hasher = Sha(sha2::Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hex::encode(hasher.0.finalize()).chars().take(32).collect()
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(unix)]
fn check_folder(folder: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() {
        return Err(io::Error::other(format!(
            "{} is not a folder",
            folder.display()
        )));
    }
    check_owner(&metadata, &folder.display().to_string())
}

#[cfg(unix)]
fn check_owner(metadata: &fs::Metadata, name: &str) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!("{name} belongs to another user")));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(io::Error::other(format!("{name} is open to other users")));
    }
    Ok(())
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(path)
}

fn check_file(file: &File) -> io::Result<u64> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(io::Error::other("it is not a file of native code"));
    }
    #[cfg(unix)]
    check_owner(&metadata, "it")?;
    Ok(metadata.len())
}

#[cfg(not(unix))]
fn check_folder(folder: &Path) -> io::Result<()> {
    fs::symlink_metadata(folder).map(drop)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

#[cfg(all(test, unix))]
#[allow(
    clippy::unwrap_used,
    reason = "clippy does not see the tests in this `cfg`"
)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::stage::{
        engine::{Engines, Trust},
        limits::Limits,
    };

    /// The least component there is: a header.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    struct Fixture {
        cache: NativeCache,
        engine: Engine,
        digest: Digest,
        file: PathBuf,
        _folder: tempfile::TempDir,
    }

    fn saved() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let engines = Engines::new(&Limits::default()).unwrap();
        let engine = engines.of(Trust::Guarded).clone();
        let cache = NativeCache::new(folder.path());
        let digest = Digest::of(EMPTY);
        assert!(cache.load(&engine, &digest).is_none());
        let component = Component::new(&engine, EMPTY).unwrap();
        cache.save(&engine, &digest, &component);
        let file = cache
            .folder
            .join(engine_key(&engine))
            .join(file_name(&digest));
        Fixture {
            cache,
            engine,
            digest,
            file,
            _folder: folder,
        }
    }

    impl Fixture {
        fn loads(&self) -> bool {
            self.cache.load(&self.engine, &self.digest).is_some()
        }
    }

    #[test]
    fn what_was_saved_is_loaded() {
        assert!(saved().loads());
    }

    #[test]
    fn a_flipped_byte_anywhere_means_compiling_again() {
        let fixture = saved();
        let bytes = fs::read(&fixture.file).unwrap();
        for at in [0, 9, HEADER, bytes.len() - 1] {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            fs::write(&fixture.file, &bad).unwrap();
            assert!(!fixture.loads(), "byte {at}");
        }
        fs::write(&fixture.file, &bytes[..20]).unwrap();
        assert!(!fixture.loads());
    }

    #[test]
    fn code_of_another_engine_is_refused() {
        let fixture = saved();
        let engines = Engines::new(&Limits::default()).unwrap();
        let other = engines.of(Trust::Trusted);
        let folder = fixture.cache.folder.join(engine_key(other));
        create_folder(&folder).unwrap();
        fs::copy(&fixture.file, folder.join(file_name(&fixture.digest))).unwrap();
        assert!(fixture.cache.load(other, &fixture.digest).is_none());
    }

    #[test]
    fn a_folder_or_file_that_others_may_use_is_refused() {
        let fixture = saved();
        let open = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        open(&fixture.cache.folder, 0o755);
        assert!(!fixture.loads());
        open(&fixture.cache.folder, 0o700);
        open(&fixture.file, 0o644);
        assert!(!fixture.loads());
        open(&fixture.file, 0o600);
        assert!(fixture.loads());
    }

    #[test]
    fn links_are_refused() {
        let fixture = saved();
        let moved = fixture.cache.folder.join("moved");
        fs::rename(&fixture.file, &moved).unwrap();
        std::os::unix::fs::symlink(&moved, &fixture.file).unwrap();
        assert!(!fixture.loads());
    }
}
