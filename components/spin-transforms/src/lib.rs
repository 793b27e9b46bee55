//! Answers the capability `transforms` with the one transform that is composed in.
//!
//! Our host runs each transform that a digest names in a sandbox of its own. Spin has no such
//! host function: there, and wherever components are only composed, this one stands between the
//! stage and its transform. Which transform it is was settled by whoever composed them, and so the
//! digest is not looked at.

#[cfg(target_arch = "wasm32")]
mod component {
    //! Bindings and mapping.

    #[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated")]
    mod bindings {
        wit_bindgen::generate!({
            path: "../../wit",
            inline: "
                package septet:spin-transforms;

                world adapter {
                    import septet:transform/transform@0.1.0;
                    export septet:capability/transforms@0.1.0;
                }
            ",
            generate_all,
        });
    }

    use bindings::{
        exports::septet::capability::transforms::{Error, Guest},
        septet::transform::{
            tables::{Kind, Table},
            transform::{self, Error as TransformError, Rejection},
        },
    };

    struct Adapter;

    bindings::export!(Adapter with_types_in bindings);

    impl Guest for Adapter {
        fn apply(_digest: String, batch: Table) -> Result<Table, Error> {
            transform::apply(&batch).map_err(|error| Error::Rejected(told(error)))
        }
    }

    fn told(error: TransformError) -> String {
        match error {
            TransformError::MissingColumn(column) => format!("column '{column}' is missing"),
            TransformError::WrongKind(mismatch) => format!(
                "column '{}' has {}: {} are needed",
                mismatch.column,
                name(mismatch.found),
                name(mismatch.expected)
            ),
            TransformError::Rejected(Rejection {
                row,
                column,
                reason,
            }) => {
                let row = row.map(|row| format!("row {row}: ")).unwrap_or_default();
                let column = column
                    .map(|c| format!("column '{c}': "))
                    .unwrap_or_default();
                format!("{row}{column}{reason}")
            }
        }
    }

    const fn name(kind: Kind) -> &'static str {
        match kind {
            Kind::Floats => "floats",
            Kind::Integers => "integers",
            Kind::Booleans => "booleans",
            Kind::Texts => "texts",
            Kind::Categories => "categories",
            Kind::Timestamps => "timestamps",
        }
    }
}
