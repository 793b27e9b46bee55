//! Bindings of everything that the host links and calls.
//!
//! One world for all: which interfaces a component really gets is the linker's decision.

#![allow(missing_docs, reason = "generated; the documentation is in wit/")]

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "
        package septet:host;

        world everything {
            import septet:capability/blob-list@0.1.0;
            import septet:capability/blob-read@0.1.0;
            import septet:capability/blob-write@0.1.0;
            import septet:capability/queue@0.1.0;
            import septet:capability/registry-read@0.1.0;
            import septet:capability/registry-propose@0.1.0;
            import septet:capability/transforms@0.1.0;
            import septet:capability/models@0.1.0;
            import septet:capability/log@0.1.0;
            export septet:pipeline/stage@0.1.0;
            export septet:pipeline/predictor@0.1.0;
            export septet:transform/transform@0.1.0;
        }
    ",
    imports: { default: async | trappable },
    exports: { default: async },
    with: {
        "septet:capability/blob-read.reader": crate::capability::blob_read::Reader,
        "septet:capability/blob-write.writer": crate::capability::blob_write::Writer,
    },
    additional_derives: [PartialEq],
});
