//! The interfaces of blobs.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::{Rc, Weak},
};

use septet_core::{contract::Digest, limits::Exceeded, store::BlobError, text::clean};
use septet_spin_store::{Shelf, Upload};

use crate::{
    bucket,
    call::{Fault, Refusal},
    component::{
        Capabilities,
        bindings::{
            exports::septet::capability::{
                blob_list::{self, Entry},
                blob_read::{self, GuestReader},
                blob_write::{self, GuestWriter},
            },
            septet::capability::blobs::{Error, Info},
        },
        used, within,
    },
    written::is_media_type,
};

const READ: &str = "blob-read";
const WRITE: &str = "blob-write";

/// The most entries in one answer.
const MOST_ENTRIES: usize = 1000;

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::AccessDenied => Self::AccessDenied,
            Refusal::TooLarge(limit) => Self::TooLarge(limit),
            Refusal::Other(reason) => Self::Other(reason),
        }
    }
}

/// An error of the store: it ends the call, whatever the stage makes of it.
fn fault(fault: Fault) -> Error {
    let (Fault::Unavailable(reason) | Fault::Damaged(reason)) = &fault;
    let told = Error::Unavailable(reason.clone());
    // Where there is no call any more, nobody asks.
    let _ = within(|call| {
        call.note(fault);
        Ok(())
    });
    told
}

fn away(error: &anyhow::Error) -> Error {
    fault(Fault::Unavailable(clean(&format!("{error:#}"), 1000)))
}

fn shelf() -> Result<Shelf, Error> {
    bucket::shelf().map_err(|error| away(&error))
}

thread_local! {
    /// Open resources.
    static HANDLES: Cell<u64> = const { Cell::new(0) };
    /// Blobs that are open: a component opens one as often as it likes, and it is in memory once.
    static OPEN: RefCell<BTreeMap<Digest, Weak<Vec<u8>>>> = const { RefCell::new(BTreeMap::new()) };
}

/// One of the resources that a component may have open.
struct Handle;

impl Handle {
    fn new() -> Result<Self, Error> {
        let limit = within(|call| Ok(call.limits.handles))?;
        let open = HANDLES.get() + 1;
        Exceeded::check("handles", limit, open).map_err(|limit| Error::Other(limit.to_string()))?;
        HANDLES.set(open);
        Ok(Self)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        HANDLES.set(HANDLES.get().saturating_sub(1));
    }
}

impl blob_read::Guest for Capabilities {
    type Reader = Reader;
}

pub(crate) struct Reader {
    bytes: Rc<Vec<u8>>,
    info: Info,
    _handle: Handle,
}

/// A blob's bytes, checked against its digest.
fn opened(digest: &Digest) -> Result<Rc<Vec<u8>>, Error> {
    let there = OPEN.with_borrow(|open| open.get(digest).and_then(Weak::upgrade));
    if let Some(bytes) = there {
        return Ok(bytes);
    }
    let bytes = match shelf()?.read(digest) {
        Ok((_, bytes)) => Rc::new(bytes),
        Err(BlobError::Missing(_)) => return Err(Error::NoSuchBlob),
        Err(error @ BlobError::Corrupt { .. }) => {
            return Err(fault(Fault::Damaged(clean(&error.to_string(), 1000))));
        }
        Err(error) => return Err(away(&error.into())),
    };
    OPEN.with_borrow_mut(|open| {
        open.retain(|_, bytes| bytes.strong_count() > 0);
        open.insert(*digest, Rc::downgrade(&bytes));
    });
    Ok(bytes)
}

impl GuestReader for Reader {
    fn open(digest: String) -> Result<blob_read::Reader, Error> {
        let (digest, media_type) = used(READ, |call| {
            let digest: Digest = digest.parse().map_err(|_| Refusal::AccessDenied)?;
            let media_type = call.readable(&digest).ok_or(Refusal::AccessDenied)?;
            Ok((digest, media_type))
        })?;
        let handle = Handle::new()?;
        let bytes = opened(&digest)?;
        let info = Info {
            size: bytes.len() as u64,
            digest: digest.to_string(),
            media_type,
        };
        Ok(blob_read::Reader::new(Self {
            bytes,
            info,
            _handle: handle,
        }))
    }

    fn info(&self) -> Info {
        // What is open is known without the store.
        let _ = used(READ, |_| Ok(()));
        self.info.clone()
    }

    fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        used(READ, |call| {
            let most = call.limits.read_bytes;
            if u64::from(length) > most {
                return Err(Refusal::TooLarge(most));
            }
            Ok(())
        })?;
        let rest = usize::try_from(offset).ok();
        let rest = rest.and_then(|at| self.bytes.get(at..)).unwrap_or_default();
        Ok(rest.get(..length as usize).unwrap_or(rest).to_vec())
    }
}

impl blob_write::Guest for Capabilities {
    type Writer = Writer;
}

pub(crate) struct Writer {
    media_type: String,
    /// None once it is finished.
    upload: RefCell<Option<Upload>>,
    _handle: Handle,
}

fn finished() -> Error {
    Error::Other("the writer is finished already".to_owned())
}

impl GuestWriter for Writer {
    fn create(media_type: String) -> Result<blob_write::Writer, Error> {
        used(WRITE, |call| {
            if !is_media_type(&media_type, &call.limits) {
                let shown = clean(&media_type, 80);
                return Err(Refusal::Other(format!("'{shown}' is not a media type")));
            }
            let created = call.written.create(&call.limits);
            created.map_err(Refusal::TooLarge)
        })?;
        let handle = Handle::new()?;
        let upload = shelf()?.begin(&media_type).map_err(|error| away(&error))?;
        Ok(blob_write::Writer::new(Self {
            media_type,
            upload: RefCell::new(Some(upload)),
            _handle: handle,
        }))
    }

    fn write(&self, bytes: Vec<u8>) -> Result<(), Error> {
        let mut upload = self.upload.borrow_mut();
        let more = bytes.len() as u64;
        let size = upload.as_ref().map(Upload::size);
        used(WRITE, |call| match size {
            Some(size) => {
                let grown = call.written.grow(size, more, &call.limits);
                grown.map_err(Refusal::TooLarge)
            }
            None => Ok(()),
        })?;
        let upload = upload.as_mut().ok_or_else(finished)?;
        upload.write(&bytes).map_err(|error| away(&error))
    }

    fn finish(&self) -> Result<Info, Error> {
        used(WRITE, |_| Ok(()))?;
        let upload = self.upload.take().ok_or_else(finished)?;
        let size = upload.size();
        let (digest, _) = upload.finish().map_err(|error| away(&error))?;
        let media_type = self.media_type.clone();
        within(|call| {
            call.written.finish(digest, size, media_type.clone());
            Ok(())
        })?;
        Ok(Info {
            size,
            digest: digest.to_string(),
            media_type,
        })
    }
}

impl blob_list::Guest for Capabilities {
    fn list(prefix: String, after: Option<String>, limit: u32) -> Result<Vec<Entry>, Error> {
        let entries = used("blob-list", |call| {
            let keys = call.scope.keys().into_iter();
            let after = after.as_deref();
            Ok(keys
                .filter(|(key, _)| {
                    key.starts_with(&prefix) && after.is_none_or(|after| key.as_str() > after)
                })
                .take((limit as usize).min(MOST_ENTRIES))
                .map(|(key, input)| Entry {
                    key,
                    size: input.size,
                    digest: input.digest.to_string(),
                })
                .collect())
        })?;
        Ok(entries)
    }
}
