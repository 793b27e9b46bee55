//! What a binary needs of the machine it is to start on, read from its ELF headers.
//!
//! A file that says it is a binary may say anything: every offset and count in it is checked
//! against the file's size before it is followed, and every walk is bounded. It must not run the
//! binary.

use std::fmt;

use anyhow::{Context as _, ensure};

/// The machine of `Needs::machine` that Azure Functions runs.
pub const X86_64: u16 = 62;

const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;

const STRTAB: u64 = 5;
const VERNEED: u64 = 0x6fff_fffe;
const VERNEEDNUM: u64 = 0x6fff_ffff;

/// More entries than the dynamic section or the list of versions of any real binary has.
const MOST: u64 = 4096;

/// A version of glibc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc {
    major: u32,
    minor: u32,
}

impl Glibc {
    /// A version as people write it: `2.31`. What stands behind the second number is left out.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(str::parse);
        let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(Self { major, minor })
    }
}

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What a binary needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// The machine's number in ELF; 62 is x86-64, 183 is aarch64.
    pub machine: u16,
    /// The newest glibc it asks for; none for one that is linked statically, or with musl.
    pub glibc: Option<Glibc>,
}

/// What the binary `file` needs.
pub fn needs(file: &[u8]) -> anyhow::Result<Needs> {
    let elf = Elf(file);
    ensure!(
        elf.bytes(0, 6)? == b"\x7fELF\x02\x01",
        "it is no 64-bit little-endian ELF file"
    );
    let kind = elf.u16(16)?;
    ensure!(matches!(kind, 2 | 3), "it is no program");
    let machine = elf.u16(18)?;
    let (table, size, count) = (elf.u64(32)?, elf.u16(54)?, elf.u16(56)?);
    ensure!(size >= 56, "its table of segments is damaged");
    let mut loads = Vec::new();
    let mut dynamic = None;
    for index in 0..u64::from(count) {
        let at = add(table, index * u64::from(size))?;
        let segment = Segment {
            offset: elf.u64(add(at, 8)?)?,
            address: elf.u64(add(at, 16)?)?,
            size: elf.u64(add(at, 32)?)?,
        };
        match elf.u32(at)? {
            LOAD => loads.push(segment),
            DYNAMIC => dynamic = Some(segment),
            _ => {}
        }
    }
    let glibc = match dynamic {
        Some(dynamic) => elf.glibc(&dynamic, &loads)?,
        None => None,
    };
    Ok(Needs { machine, glibc })
}

/// A part of the file and where it is in memory.
struct Segment {
    offset: u64,
    address: u64,
    size: u64,
}

fn add(one: u64, two: u64) -> anyhow::Result<u64> {
    one.checked_add(two).context("one of its offsets is wrong")
}

/// A file's bytes, asked for with every bound checked.
struct Elf<'a>(&'a [u8]);

impl<'a> Elf<'a> {
    fn bytes(&self, at: u64, count: u64) -> anyhow::Result<&'a [u8]> {
        let end = add(at, count)?;
        let range = usize::try_from(at)?..usize::try_from(end)?;
        self.0.get(range).context("it is cut short")
    }

    fn u16(&self, at: u64) -> anyhow::Result<u16> {
        Ok(u16::from_le_bytes(self.bytes(at, 2)?.try_into()?))
    }

    fn u32(&self, at: u64) -> anyhow::Result<u32> {
        Ok(u32::from_le_bytes(self.bytes(at, 4)?.try_into()?))
    }

    fn u64(&self, at: u64) -> anyhow::Result<u64> {
        Ok(u64::from_le_bytes(self.bytes(at, 8)?.try_into()?))
    }

    /// A text that ends with a zero; names of versions are short.
    fn text(&self, at: u64) -> anyhow::Result<&'a str> {
        let rest = self.0.get(usize::try_from(at)?..).unwrap_or_default();
        let rest = rest.get(..rest.len().min(256)).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == 0);
        let text = end.and_then(|end| rest.get(..end));
        Ok(std::str::from_utf8(
            text.context("one of its names has no end")?,
        )?)
    }

    /// The newest version of glibc that is asked for by the binary's list of versions.
    fn glibc(&self, dynamic: &Segment, loads: &[Segment]) -> anyhow::Result<Option<Glibc>> {
        let (mut names, mut versions, mut count) = (None, None, 0);
        for index in 0..(dynamic.size / 16).min(MOST) {
            let at = add(dynamic.offset, index * 16)?;
            let value = self.u64(add(at, 8)?)?;
            match self.u64(at)? {
                0 => break,
                STRTAB => names = Some(value),
                VERNEED => versions = Some(value),
                VERNEEDNUM => count = value.min(MOST),
                _ => {}
            }
        }
        let (Some(names), Some(versions)) = (names, versions) else {
            return Ok(None);
        };
        let place = |address: u64| {
            let mut loads = loads.iter();
            let found = loads
                .find(|load| address >= load.address && address - load.address < load.size)
                .context("one of its addresses is in no segment")?;
            add(found.offset, address - found.address)
        };
        let (names, mut library) = (place(names)?, place(versions)?);
        let mut newest = None;
        for _ in 0..count {
            let mut version = add(library, u64::from(self.u32(add(library, 8)?)?))?;
            for _ in 0..self.u16(add(library, 2)?)? {
                let name = self.u32(add(version, 8)?)?;
                let name = self.text(add(names, u64::from(name))?)?;
                let glibc = name.strip_prefix("GLIBC_").and_then(Glibc::parse);
                newest = newest.max(glibc);
                match self.u32(add(version, 12)?)? {
                    0 => break,
                    next => version = add(version, u64::from(next))?,
                }
            }
            match self.u32(add(library, 12)?)? {
                0 => break,
                next => library = add(library, u64::from(next))?,
            }
        }
        Ok(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_says_what_it_needs() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needs = needs(&file).unwrap();
        if cfg!(target_arch = "x86_64") {
            assert_eq!(needs.machine, X86_64);
        }
        if cfg!(target_env = "gnu") {
            assert!(needs.glibc >= Glibc::parse("2.17"), "{needs:?}");
        }
    }

    #[test]
    fn no_cut_and_no_flipped_byte_is_more_than_an_error() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for end in (0..4096).step_by(7) {
            let _ = needs(&file[..end]);
        }
        let mut head = file[..64 * 1024].to_vec();
        for at in 0..1024 {
            head[at] ^= 0xff;
            let _ = needs(&head);
            head[at] ^= 0xff;
        }
        for bad in [&b""[..], b"#!/bin/sh\n", b"\x7fELF\x01\x01aaaaaaaa"] {
            assert!(needs(bad).is_err());
        }
    }

    #[test]
    fn versions_are_numbers() {
        let version = |text| Glibc::parse(text).unwrap();
        assert!(version("2.9") < version("2.31"));
        assert!(version("2.2.5") < version("2.17"));
        assert_eq!(version("2.31").to_string(), "2.31");
        for bad in ["", "2", "two.one", "PRIVATE"] {
            assert_eq!(Glibc::parse(bad), None, "{bad}");
        }
    }
}
