//! Bindings, and the one call that an instance may be in.

use std::cell::RefCell;

use crate::call::{Call, Refusal};

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
                import wasi:keyvalue/atomics@0.2.0-draft2;
                export septet:spin/session@0.1.0;
                export septet:spin/scopes@0.1.0;
                export septet:spin/load-test@0.1.0;
                export septet:capability/blob-list@0.1.0;
                export septet:capability/blob-read@0.1.0;
                export septet:capability/blob-write@0.1.0;
                export septet:capability/queue@0.1.0;
                export septet:capability/registry-read@0.1.0;
                export septet:capability/registry-propose@0.1.0;
                export septet:capability/transforms@0.1.0;
                export septet:capability/log@0.1.0;
            }
        ",
        generate_all,
    });
}

pub(crate) struct Capabilities;

bindings::export!(Capabilities with_types_in bindings);

thread_local! {
    static CALL: RefCell<Option<Call>> = const { RefCell::new(None) };
}

/// Begins a call; the one before is forgotten.
pub(crate) fn begin(call: Call) {
    CALL.set(Some(call));
}

/// Ends the call.
pub(crate) fn end() -> Option<Call> {
    CALL.take()
}

/// Works on the call that there is; outside of one, everything is denied.
pub(crate) fn within<T>(work: impl FnOnce(&mut Call) -> Result<T, Refusal>) -> Result<T, Refusal> {
    CALL.with_borrow_mut(|call| call.as_mut().ok_or(Refusal::AccessDenied).and_then(work))
}

/// As `within`, and counts a use of the capability.
pub(crate) fn used<T>(
    capability: &'static str,
    work: impl FnOnce(&mut Call) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    within(|call| {
        call.enter(capability)?;
        work(call)
    })
}
