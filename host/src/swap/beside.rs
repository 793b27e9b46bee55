//! The signature that lies beside a component's file, bounded before it is read.

use std::{
    ffi::OsString,
    fs::File,
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};

use crate::trust::MAX_SIGNATURE;

/// Where minisign puts the signature of a file.
fn place(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".minisig");
    PathBuf::from(name)
}

/// The text of `FILE.minisig`; none where there is none. One that can't be read is an error, and
/// not taken for none.
pub fn beside(file: &Path) -> anyhow::Result<Option<String>> {
    let place = place(file);
    let shown = place.display();
    let unreadable = || format!("the signature {shown} can't be read");
    let metadata = match std::fs::metadata(&place) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(unreadable),
    };
    // To open a pipe would wait for whoever writes into it.
    ensure!(metadata.is_file(), "the signature {shown} is no file");
    let mut bytes = Vec::new();
    let most = MAX_SIGNATURE as u64 + 1;
    let file = File::open(&place).with_context(unreadable)?;
    file.take(most)
        .read_to_end(&mut bytes)
        .with_context(unreadable)?;
    ensure!(
        bytes.len() <= MAX_SIGNATURE,
        "the signature {shown} has more than {MAX_SIGNATURE} bytes: it is none of minisign's"
    );
    let text = String::from_utf8(bytes);
    text.map(Some)
        .map_err(|_| anyhow::anyhow!("the signature {shown} is no text: it is none of minisign's"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_beside_a_file_is_found_and_bounded() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("x.wasm");
        assert!(beside(&file).unwrap().is_none());
        let place = folder.path().join("x.wasm.minisig");
        std::fs::write(&place, "text").unwrap();
        assert_eq!(beside(&file).unwrap().as_deref(), Some("text"));
        std::fs::write(&place, "x".repeat(MAX_SIGNATURE + 1)).unwrap();
        assert!(beside(&file).unwrap_err().to_string().contains("more than"));
        std::fs::write(&place, b"\xff\xfe").unwrap();
        assert!(beside(&file).unwrap_err().to_string().contains("no text"));
        std::fs::remove_file(&place).unwrap();
        std::fs::create_dir(&place).unwrap();
        assert!(beside(&file).unwrap_err().to_string().contains("no file"));
    }
}
