//! Bindings and mapping.

use std::cell::{Cell, RefCell};

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    clippy::indexing_slicing,
    reason = "generated"
)]
pub(crate) mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit", "wit"],
        inline: "
            package septet:spin-capabilities;

            world capabilities {
                import wasi:keyvalue/store@0.2.0-draft2;
                export septet:capability/blob-list@0.1.0;
                export septet:capability/blob-read@0.1.0;
                export septet:capability/blob-write@0.1.0;
                export septet:capability/log@0.1.0;
            }
        ",
        generate_all,
    });
}

use bindings::{
    exports::septet::capability::{
        blob_list::{self, Entry},
        blob_read::{self, GuestReader},
        blob_write::{self, GuestWriter},
        log::{self, Level},
    },
    septet::capability::blobs::{Error, Info},
};

use crate::bucket::{Bucket, MOST_BYTES};

/// Entries of one answer.
const MOST_ENTRIES: u32 = 1_000;

/// Characters of one line.
const LONGEST_LINE: usize = 4_096;

struct Capabilities;

bindings::export!(Capabilities with_types_in bindings);

impl blob_read::Guest for Capabilities {
    type Reader = Reader;
}

struct Reader {
    bytes: Vec<u8>,
    info: Info,
}

impl GuestReader for Reader {
    fn open(digest: String) -> Result<blob_read::Reader, Error> {
        let (bytes, info) = Bucket::open()?.get(&digest)?;
        Ok(blob_read::Reader::new(Self { bytes, info }))
    }

    fn info(&self) -> Info {
        self.info.clone()
    }

    fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|at| self.bytes.get(at..));
        let rest = rest.unwrap_or_default();
        Ok(rest.get(..length as usize).unwrap_or(rest).to_vec())
    }
}

impl blob_write::Guest for Capabilities {
    type Writer = Writer;
}

struct Writer {
    media_type: String,
    bytes: RefCell<Vec<u8>>,
    finished: Cell<bool>,
}

impl GuestWriter for Writer {
    fn create(media_type: String) -> Result<blob_write::Writer, Error> {
        if media_type.len() > 255 {
            return Err(Error::Other(
                "a media type has at most 255 bytes".to_owned(),
            ));
        }
        Ok(blob_write::Writer::new(Self {
            media_type,
            bytes: RefCell::default(),
            finished: Cell::default(),
        }))
    }

    fn write(&self, bytes: Vec<u8>) -> Result<(), Error> {
        self.open()?;
        let mut all = self.bytes.borrow_mut();
        if all.len().saturating_add(bytes.len()) > MOST_BYTES {
            return Err(Error::TooLarge(MOST_BYTES as u64));
        }
        all.extend_from_slice(&bytes);
        Ok(())
    }

    fn finish(&self) -> Result<Info, Error> {
        self.open()?;
        self.finished.set(true);
        Bucket::open()?.put(&self.media_type, &self.bytes.take())
    }
}

impl Writer {
    fn open(&self) -> Result<(), Error> {
        if self.finished.get() {
            return Err(Error::Other("the blob is finished".to_owned()));
        }
        Ok(())
    }
}

impl blob_list::Guest for Capabilities {
    fn list(prefix: String, after: Option<String>, limit: u32) -> Result<Vec<Entry>, Error> {
        let bucket = Bucket::open()?;
        let names = bucket.names(&prefix, after.as_deref())?;
        let mut entries = Vec::new();
        for key in names.into_iter().take(limit.min(MOST_ENTRIES) as usize) {
            // A name that went while the others were read is no longer there.
            if let Some(digest) = bucket.named(&key)? {
                let (_, info) = bucket.get(&digest)?;
                entries.push(Entry {
                    key,
                    size: info.size,
                    digest,
                });
            }
        }
        Ok(entries)
    }
}

impl log::Guest for Capabilities {
    fn write(level: Level, message: String) {
        let level = match level {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        // One line is one line, whatever a guest writes.
        let line: String = message
            .chars()
            .take(LONGEST_LINE)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        eprintln!("{level} {line}");
    }

    fn progress(_done: u64, _total: Option<u64>) {
        // Spin stops a request by its own clock and shows no progress.
    }
}
