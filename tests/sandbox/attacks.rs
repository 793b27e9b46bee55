//! What each attack is told: the table that docs/sandbox.md tells too.

use septet::stage::Limits;

use super::evil::all;

/// An attack, and what must be in what is told of it.
pub(crate) type Attack = (&'static str, &'static str);

/// Less than by default, so that the attacks meet their limits sooner.
pub(crate) fn limits() -> Limits {
    Limits {
        transform_cpu_seconds: 1,
        transform_memory_bytes: 64 << 20,
        host_call_bytes: 32 << 20,
        ..Limits::default()
    }
}

pub(crate) const CPU: &str = "limit transform_cpu_seconds allows 1; 2 was asked for";
const MEMORY: &str = "limit transform_memory_bytes allows 67108864; ";
const FUEL: &str = "limit host_call_bytes allows 33554432; more was asked for";
const BOUNDS: &str = "out of bounds";

/// All attacks by name.
pub(crate) const ATTACKS: &[Attack] = &[
    ("amplified-texts", FUEL),
    (
        "boundless-description",
        "limit batch_columns allows 4096; 100000 was asked for",
    ),
    ("clock", "saw 1577836800 s, 0 ns"),
    (
        "deep-nesting",
        "limit component_nesting allows 8; 9 was asked for",
    ),
    ("endless-rejection", "row 4294967295 of the batch, column '"),
    ("environment", "saw 0 variables, 0 arguments"),
    ("exit", "it called exit(0)"),
    (
        "files",
        "saw files [false, false, false, false, false, false]",
    ),
    ("handles", "limit handles allows 1024; 1025 was asked for"),
    (
        "huge-function",
        "limit function_bytes allows 1048576; 1100002 was asked for",
    ),
    ("huge-output", FUEL),
    (
        "import-blob-list",
        "it imports septet:capability/blob-list@0.1.0, and a user transform is given no capability",
    ),
    (
        "import-blob-read",
        "it imports septet:capability/blob-read@0.1.0, and a user transform is given no capability",
    ),
    (
        "import-blob-write",
        "it imports septet:capability/blob-write@0.1.0, and a user transform is given no capability",
    ),
    (
        "import-http",
        "it imports wasi:http/outgoing-handler@0.2.6, which no component is given",
    ),
    (
        "import-log",
        "it imports septet:capability/log@0.1.0, and a user transform is given no capability",
    ),
    (
        "import-models",
        "it imports septet:capability/models@0.1.0, and a user transform is given no capability",
    ),
    (
        "import-queue",
        "it imports septet:capability/queue@0.1.0, and a user transform is given no capability",
    ),
    (
        "import-registry-propose",
        "it imports septet:capability/registry-propose@0.1.0, and a user transform is given no capability",
    ),
    (
        "import-registry-read",
        "it imports septet:capability/registry-read@0.1.0, and a user transform is given no capability",
    ),
    (
        "import-threads",
        "it imports wasi:thread/spawn@0.2.6, which no component is given",
    ),
    (
        "import-transforms",
        "it imports septet:capability/transforms@0.1.0, and a user transform is given no capability",
    ),
    ("infinite-loop", CPU),
    (
        "instance-bomb",
        "limit instances allows 100; 128 was asked for",
    ),
    ("invalid-utf8", "invalid utf-8"),
    (
        "long-name",
        "limit name_bytes allows 255; 1000 was asked for",
    ),
    (
        "long-text",
        "limit string_bytes allows 1048576; 2097152 was asked for",
    ),
    ("loop-in-describe", CPU),
    ("lying-answer", BOUNDS),
    ("lying-columns", BOUNDS),
    ("lying-count", "has 3 values in a table of 2 rows"),
    ("lying-length", BOUNDS),
    ("lying-list", BOUNDS),
    ("lying-text", BOUNDS),
    ("many-columns", "limit batch_columns allows 4096; 50"),
    (
        "many-functions",
        "limit functions allows 100000; 200000 was asked for",
    ),
    (
        "many-instances",
        "limit instances allows 100; 101 was asked for",
    ),
    (
        "many-items",
        "limit component_items allows 200000; 300000 was asked for",
    ),
    ("many-memories", "limit memories allows 8; 90 was asked for"),
    (
        "many-rows",
        "limit batch_rows allows 8192; 100000 was asked for",
    ),
    ("many-tables", "limit tables allows 100; 1000 was asked for"),
    ("memory-bomb", MEMORY),
    ("memory64", "it is not a valid component"),
    ("misaligned", "not aligned"),
    ("nan-smuggling", "x = 7ff8000000000000 "),
    ("network", "saw network [false, false, false, false]"),
    ("null-flood", "column 'x' lists null 2"),
    ("null-peek", "saw [1] of [1.0, 0.0]"),
    ("null-smuggling", "doubled = 0 0"),
    ("panic", "last words: "),
    ("random", "saw drew "),
    (
        "random-flood",
        "limit random_bytes allows 65536; 1073741824 was asked for",
    ),
    ("realloc-beyond", "realloc return"),
    ("realloc-loop", CPU),
    ("realloc-misaligned", "realloc return"),
    ("realloc-overlap", "gave 0 rows for 2; it must keep them"),
    (
        "recursion",
        "limit stack_bytes allows 1048576; more was asked for",
    ),
    ("shared-memory", "it is not a valid component"),
    ("sleep", "gave 2 rows"),
    ("slow-growth", MEMORY),
    ("start-loop", CPU),
    ("state", "saw call 1"),
    ("stdout-flood", "gave 2 rows"),
    (
        "table-growth",
        "limit table_elements allows 200000; 200001 was asked for",
    ),
    ("taken-column", "took column 'x' away without declaring it"),
    ("threads", "saw started false"),
    ("trap", "it trapped (unreachable code"),
    ("type-bomb", "it is not a valid component"),
    (
        "undeclared-column",
        "gave column 'target', which it does not declare",
    ),
    (
        "uneven-columns",
        "column 'seen' has 1 values in a table of 2 rows",
    ),
    ("unknown-kind", "unexpected discriminant"),
    ("unknown-result", "invalid expected discriminant"),
    (
        "whole-memory",
        "limit guarded_memory_bytes allows 1073741824; 4294967296 was asked for",
    ),
    (
        "wide-table",
        "limit table_elements allows 200000; 10000000 was asked for",
    ),
    (
        "wild-code",
        "has code 4294967295; its dictionary has 1 entries",
    ),
    ("wrong-row-count", "gave 0 rows for 2; it must keep them"),
];

#[test]
fn every_attack_has_a_fixture_and_every_fixture_is_run() {
    let mut named: Vec<&str> = ATTACKS.iter().map(|(name, _)| *name).collect();
    named.sort_unstable();
    assert_eq!(named, all());
    assert!(named.len() >= 20);
}
