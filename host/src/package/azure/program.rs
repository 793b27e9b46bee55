//! The binary that is shipped, and whether it starts where it is sent.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};

use super::super::elf::{self, Glibc};

/// The newest glibc that every image of the platform has: Debian 11's. Newer images have a newer
/// one, and run what asks for an older.
pub const GLIBC: &str = "2.31";

/// Largest binary that is read.
const MOST_BYTES: u64 = 1 << 30;

/// A binary that starts on the platform.
#[derive(Debug)]
pub struct Program {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Where it was read.
    pub path: PathBuf,
}

impl Program {
    /// The binary in `path`, refused where the platform could not start it.
    pub fn read(path: &Path, glibc: Glibc) -> anyhow::Result<Self> {
        let shown = path.display();
        let read = || -> anyhow::Result<Vec<u8>> {
            let size = fs::metadata(path).context("it can't be read")?.len();
            ensure!(
                size <= MOST_BYTES,
                "it has {size} bytes: at most {MOST_BYTES} are shipped"
            );
            fs::read(path).context("it can't be read")
        };
        let bytes = read().with_context(|| format!("the program {shown}"))?;
        fits(&bytes, glibc).with_context(|| format!("the program {shown} would not start"))?;
        Ok(Self {
            bytes,
            path: path.to_owned(),
        })
    }

    /// Whether the component is embedded in it, so that its native code is of use to it.
    pub fn carries(&self, component: &[u8]) -> bool {
        let Some((first, _)) = component.split_at_checked(64) else {
            return false;
        };
        let mut rest = self.bytes.as_slice();
        while let Some(at) = position(rest, first) {
            let Some(found) = rest.get(at..) else { break };
            if found.starts_with(component) {
                return true;
            }
            rest = found.get(1..).unwrap_or_default();
        }
        false
    }
}

/// Where `what` begins in `bytes`.
fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    // The first byte, a zero, is everywhere in a program; the second is not.
    let second = *what.get(1)?;
    let mut from = 1;
    loop {
        let at = bytes.get(from..)?.iter().position(|byte| *byte == second)? + from;
        if bytes.get(at - 1..)?.starts_with(what) {
            return Some(at - 1);
        }
        from = at + 1;
    }
}

/// Refuses a binary for another machine, or for a newer glibc than the platform's.
pub(super) fn fits(bytes: &[u8], glibc: Glibc) -> anyhow::Result<()> {
    let needs = elf::needs(bytes)?;
    ensure!(
        needs.machine == elf::X86_64,
        "it is for machine {} of ELF's list, and function apps run on x86-64: name one for that \
         with --binary",
        needs.machine
    );
    if let Some(needed) = needs.glibc {
        ensure!(
            needed <= glibc,
            "it asks for glibc {needed}, and the platform's may be {glibc}: name the one that \
             scripts/release builds with --binary"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_embedded_component_is_found() {
        let component: Vec<u8> = b"\0asm\x0d\0\x01\0".iter().copied().chain(0..200).collect();
        let carries = |bytes: &[u8]| {
            let program = Program {
                bytes: bytes.to_vec(),
                path: PathBuf::new(),
            };
            program.carries(&component)
        };
        let cut = &component[..150];
        assert!(carries(&[b"aaa", cut, &component, b"zzz"].concat()));
        assert!(!carries(&[b"aaa", cut, b"zzz"].concat()));
        assert!(!carries(b""));
    }
}
