//! The store's key: where it is given. And what any file with a key must be like.
//!
//! It is never taken from the command line, where other users of the machine read it, and no error
//! has any of it. This module must not open a store.

use std::{
    env, fmt, fs,
    io::{ErrorKind, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use septet::{secret::Reference, store::StoreKey};
use zeroize::Zeroizing;

/// Largest key file that is read: a key, or the reference to one.
const MAX_FILE: usize = 1024;

/// What a setting with a secret says.
#[derive(Debug)]
pub(crate) enum Given<T> {
    /// The secret itself.
    Secret(T),
    /// Where it is.
    Reference(Reference),
}

impl<T> Given<T> {
    /// A reference, where the text is one, else what `parse` makes of it.
    pub(super) fn read(
        text: &str,
        parse: impl FnOnce(&str) -> anyhow::Result<T>,
    ) -> anyhow::Result<Self> {
        match Reference::parse(text)? {
            Some(reference) => Ok(Self::Reference(reference)),
            None => parse(text).map(Self::Secret),
        }
    }
}

/// The environment's words for the key, as they stand.
#[derive(Default)]
pub(crate) struct KeyWords {
    /// `SEPTET_STORE_KEY`. What is no text is no key either.
    key: Option<String>,
    /// `SEPTET_STORE_KEY_FILE`.
    file: Option<PathBuf>,
}

impl fmt::Debug for KeyWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.as_ref().map(|_| "…");
        // The file's name may be a key that was put into the wrong place.
        let mut words = f.debug_struct("KeyWords");
        words.field("key", &key).finish_non_exhaustive()
    }
}

impl KeyWords {
    /// Reads the environment. An empty word counts as one: where a secret did not arrive, a new
    /// store must not silently be made in the clear.
    pub(super) fn read() -> Self {
        let key = env::var_os("SEPTET_STORE_KEY");
        Self {
            key: key.map(|key| key.into_string().unwrap_or_default()),
            file: env::var_os("SEPTET_STORE_KEY_FILE").map(PathBuf::from),
        }
    }

    /// The key, if one is given: by the environment, else by the file that septet.toml names.
    pub(crate) fn key(&self, settings: Option<&Path>) -> anyhow::Result<Option<Given<StoreKey>>> {
        match (&self.key, &self.file, settings) {
            (Some(_), Some(_), _) => bail!(
                "both SEPTET_STORE_KEY and SEPTET_STORE_KEY_FILE are set: take one of them away"
            ),
            (Some(key), None, _) => {
                let key =
                    Given::read(key, StoreKey::parse).context("SEPTET_STORE_KEY is no key")?;
                Ok(Some(key))
            }
            (None, Some(file), _) => of_file(file, "SEPTET_STORE_KEY_FILE").map(Some),
            (None, None, Some(file)) => of_file(file, "key_file under [encryption]").map(Some),
            (None, None, None) => Ok(None),
        }
    }
}

/// The key in `file`, which `word` names.
fn of_file(file: &Path, word: &str) -> anyhow::Result<Given<StoreKey>> {
    // A key that was put where its file's name belongs must not be shown in an error. A setting's
    // path has its folder before it, and base64 may have a stroke.
    let path = file.to_string_lossy();
    let mut ends = path.match_indices('/').map(|(at, _)| at + 1).chain([0]);
    let is_key = ends.any(|at| {
        path.get(at..)
            .is_some_and(|end| StoreKey::parse(end).is_ok())
    });
    ensure!(
        !is_key,
        "{word} is a key: it must be the name of a file that holds it"
    );

    let shown = format!("the key file {} ({word})", file.display());
    let make = "`septet store key --out FILE` makes one";
    let text = read_secret(file, &shown, make, MAX_FILE)?;
    let text = std::str::from_utf8(&text).unwrap_or_default();
    Given::read(text, StoreKey::parse).with_context(|| format!("{shown} holds no key"))
}

/// What is in a file that nobody else may read: at most one byte more than `most`, which is enough
/// to see that it is too much. In errors the file is called `shown`; `make` says how one is made.
pub(super) fn read_secret(
    file: &Path,
    shown: &str,
    make: &str,
    most: usize,
) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    // A pipe without a writer would be waited for.
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = fs::OpenOptions::new()
        .read(true)
        .custom_flags(nonblock)
        .open(file);
    let opened = match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{shown} is not there: {make}")
        }
        opened => opened.with_context(|| format!("{shown} can't be read"))?,
    };
    let data = opened.metadata();
    let data = data.with_context(|| format!("{shown} can't be read"))?;
    ensure!(data.is_file(), "{shown} is no file");
    let mode = data.mode() & 0o777;
    let others = mode & 0o077;
    ensure!(
        others == 0,
        "{shown} is open to other users (mode {mode:03o}): `chmod 600` it, and if others may have \
         read it, make a new key"
    );
    let mut text = Zeroizing::new(Vec::with_capacity(most + 1));
    opened
        .take(most as u64 + 1)
        .read_to_end(&mut text)
        .with_context(|| format!("{shown} can't be read"))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn refused(words: &KeyWords, settings: Option<&Path>) -> String {
        let line = format!("{:#}", words.key(settings).unwrap_err());
        assert!(!line.contains(&KEY[..16]) && !line.contains('\n'), "{line}");
        line
    }

    fn words(key: Option<&str>, file: Option<&Path>) -> KeyWords {
        KeyWords {
            key: key.map(ToOwned::to_owned),
            file: file.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn a_key_comes_from_one_place() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, format!("{KEY}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let text = |words: KeyWords, settings: Option<&Path>| {
            words.key(settings).unwrap().map(|key| match key {
                Given::Secret(key) => key.to_text().to_string(),
                Given::Reference(reference) => reference.to_string(),
            })
        };
        let key = Some(KEY.to_owned());
        assert_eq!(text(words(None, None), None), None);
        assert_eq!(text(words(Some(KEY), None), None), key);
        assert_eq!(text(words(None, Some(&file)), None), key);
        assert_eq!(text(words(None, None), Some(&file)), key);
        // The environment wins.
        assert_eq!(text(words(Some(KEY), None), Some(Path::new("/no"))), key);
        assert!(refused(&words(Some(KEY), Some(&file)), None).contains("both"));
        let reference = "@Microsoft.KeyVault(VaultName=v;SecretName=k)";
        let shown = Some("secret k of vault v.vault.azure.net".to_owned());
        assert_eq!(text(words(Some(reference), None), None), shown);
        fs::write(&file, reference).unwrap();
        assert_eq!(text(words(None, Some(&file)), None), shown);
        let debug = format!("{:?}", words(Some(KEY), None));
        assert!(!debug.contains(&KEY[..8]), "{debug}");
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("key");
        let write = |text: &str, mode: u32| {
            let _ = fs::remove_file(&file);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        };
        for mode in [0o640, 0o604, 0o620, 0o610, 0o644] {
            write(KEY, mode);
            let line = refused(&words(None, Some(&file)), None);
            assert!(line.contains(&format!("(mode {mode:03o})")), "{line}");
        }
        for text in ["", &KEY[1..], &KEY.repeat(2), &KEY.repeat(5), "no key"] {
            write(text, 0o600);
            let line = refused(&words(None, None), Some(&file));
            assert!(
                line.contains("holds no key") && line.contains("64 hex"),
                "{line}"
            );
            let line = refused(&words(Some(text), None), None);
            assert!(line.contains("SEPTET_STORE_KEY is no key"), "{line}");
        }
        let line = refused(&words(None, Some(folder.path())), None);
        assert!(line.contains("is no file"), "{line}");
        let line = refused(&words(None, Some(Path::new(""))), None);
        assert!(line.contains("is not there"), "{line}");
        for place in [PathBuf::from(KEY), folder.path().join(KEY)] {
            let line = refused(&words(None, None), Some(&place));
            assert!(line.contains("is a key"), "{line}");
        }
    }
}
