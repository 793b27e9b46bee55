//! Bindings of the contract, and what every stage needs between them and the kit.
//!
//! A stage generates the bindings of its own world with `with:` pointing here, so that all of
//! them share one set of types. What a stage does not call is not imported by its component.
//!
//! # Layout
//! - [`bindings`]: generated from `wit/`
//! - [`blob`]: blobs as `std::io` readers and writers
//! - [`tables`]: the contract's tables to the kit's and back
//! - [`call`]: an invocation's inputs and parameters
//! - [`fault`]: how a call that did not work ends
//! - [`ask`]: transforms and models, asked with the kit's tables
//! - [`registry`], [`queue`]: versions, aliases and messages, with errors as sentences
//! - [`log`]: lines and progress

pub mod ask;
pub mod blob;
pub mod call;
pub mod fault;
pub mod log;
pub mod queue;
pub mod registry;
pub mod tables;

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    clippy::indexing_slicing,
    reason = "generated"
)]
pub mod bindings {
    //! Generated from `wit/`.

    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package septet:guest;

            world guest {
                import septet:transform/tables@0.1.0;
                import septet:pipeline/types@0.1.0;
                import septet:capability/blobs@0.1.0;
                import septet:capability/blob-list@0.1.0;
                import septet:capability/blob-read@0.1.0;
                import septet:capability/blob-write@0.1.0;
                import septet:capability/queue@0.1.0;
                import septet:capability/registry-read@0.1.0;
                import septet:capability/registry-propose@0.1.0;
                import septet:capability/transforms@0.1.0;
                import septet:capability/models@0.1.0;
                import septet:capability/log@0.1.0;
            }
        ",
        generate_all,
        generate_unused_types: true,
    });
}

pub use bindings::septet::pipeline::types::{Artifact, Invocation, Metric, Outcome, StageError};
