//! All limits of a call, with their defaults: the one place to look for a number.
//!
//! It owns the numbers and the error that names one of them. Who enforces a limit is said with it.

use std::fmt;

use serde::{Deserialize, Serialize};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A component asked for more than a limit allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// The field of [`Limits`], which is also its name in the settings.
    pub limit: &'static str,
    /// What it allows.
    pub value: u64,
    /// What was asked for, in the same unit; `MORE` where that is not known.
    pub asked: u64,
}

impl Exceeded {
    /// It was more than the limit allows, and what met the limit does not say how much.
    pub const MORE: u64 = u64::MAX;

    /// A limit that was met by nobody knows how much.
    pub const fn more(limit: &'static str, value: u64) -> Self {
        Self {
            limit,
            value,
            asked: Self::MORE,
        }
    }

    /// `Ok` while `asked` is within the limit.
    pub const fn check(limit: &'static str, value: u64, asked: u64) -> Result<(), Self> {
        if asked > value {
            Err(Self {
                limit,
                value,
                asked,
            })
        } else {
            Ok(())
        }
    }
}

impl Limits {
    /// Whether a component of so many bytes may be looked at.
    pub const fn check_component(&self, bytes: u64) -> Result<(), Exceeded> {
        Exceeded::check("component_bytes", self.component_bytes, bytes)
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            limit,
            value,
            asked,
        } = self;
        if *asked == Self::MORE {
            return write!(f, "limit {limit} allows {value}; more was asked for");
        }
        write!(f, "limit {limit} allows {value}; {asked} was asked for")
    }
}

impl std::error::Error for Exceeded {}

/// Declares the limits once: field, default and meaning.
macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident = $default:expr;)+) => {
        /// What one call may take. Every field may be set in `[limits]` of septet.toml.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Limits {
            /// Names of all limits, in order.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),+];

            /// What each of `NAMES` means: lines that begin with a space.
            pub const MEANINGS: &'static [&'static str] = &[$(concat!($($doc, "\n"),+)),+];

            /// Every limit with its value.
            fn entries(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),+].into_iter()
            }
        }
    };
}

limits! {
    /// Bytes of linear memory of an embedded component, all its memories together.
    memory_bytes = 4 * GIB;
    /// Bytes of linear memory of any other stage component.
    guarded_memory_bytes = GIB;
    /// Bytes of linear memory of a user transform.
    transform_memory_bytes = 512 * MIB;
    /// Seconds of wall clock from the start of a call to its end.
    wall_seconds = 3600;
    /// Seconds of processor time of a component that is not embedded.
    cpu_seconds = 600;
    /// Seconds of processor time of one call of a user transform.
    transform_cpu_seconds = 30;
    /// Seconds that a user transform may be tried before it is taken.
    admission_seconds = 300;
    /// Seconds that an embedded component may compute without calling the host. It can't be
    /// interrupted: over this, the worker process ends.
    silence_seconds = 300;
    /// Bytes of a component's stack, that of its calls into each other. Where a component's own
    /// stack in its memory is less, that ends it first.
    stack_bytes = MIB;
    /// Elements of all tables of an instance.
    table_elements = 200_000;
    /// Core instances in a component.
    instances = 100;
    /// Memories in a component: one for each component that it was composed of.
    memories = 8;
    /// Tables in a component.
    tables = 100;
    /// Calls of capabilities by one call of a stage.
    host_calls = 20_000_000;
    /// Bytes that a component may pass to the host in one call of a host function (wasmtime's
    /// host-call fuel, counted in the host's representation).
    host_call_bytes = 256 * MIB;
    /// Open resources: readers, writers and WASI's handles.
    handles = 1024;
    /// Bytes of one read of a blob.
    read_bytes = 16 * MIB;
    /// Bytes of one written blob.
    blob_bytes = 4 * GIB;
    /// Bytes of all blobs that a call writes.
    written_bytes = 16 * GIB;
    /// Blobs that a call writes, unfinished ones included.
    blobs = 256;
    /// Bytes of the parameters.
    parameters_bytes = MIB;
    /// Artifacts in an outcome.
    outputs = 64;
    /// Metrics in an outcome.
    metrics = 4096;
    /// Notes in an outcome.
    notes = 256;
    /// Bytes of a note or of the reason of an error.
    text_bytes = 4 * KIB;
    /// Bytes of the name of an artifact, a metric or a column, and of a media type.
    name_bytes = 255;
    /// Seconds that a stage may ask to be retried after.
    retry_seconds = 7 * 24 * 3600;
    /// Messages that a call sends through `queue`.
    messages = 1000;
    /// Bytes of one such message. One that is larger than a queue's message may be goes into a blob,
    /// and the message says which.
    message_bytes = MIB;
    /// Proposals that a call makes through `registry-propose`.
    proposals = 16;
    /// Bytes of a proposal's summary.
    summary_bytes = 64 * KIB;
    /// Log lines of a call, its standard output and error included; further ones are dropped.
    log_lines = 1000;
    /// Bytes of a log line; what is longer is cut.
    log_line_bytes = 4 * KIB;
    /// Bytes of all log lines; further ones are dropped.
    log_bytes = 256 * KIB;
    /// Bytes of WASI's random numbers in one call.
    random_bytes = 64 * KIB;
    /// Bytes of a component.
    component_bytes = 64 * MIB;
    /// Functions in a component, all its modules together.
    functions = 100_000;
    /// Bytes of one function of a component.
    function_bytes = MIB;
    /// Components and modules inside each other, the outermost one included.
    component_nesting = 8;
    /// Types, imports, exports, globals, segments and the like in a component, all together.
    component_items = 200_000;
    /// Bytes of memory of the process that compiles a component that is not embedded, its program
    /// included.
    compile_memory_bytes = 2 * GIB;
    /// Seconds of processor time to compile a component that is not embedded.
    compile_cpu_seconds = 120;
    /// Seconds of wall clock to compile a component that is not embedded.
    compile_seconds = 300;
    /// Components kept loaded besides the embedded ones.
    components = 64;
    /// Rows of a batch that crosses a component's border.
    batch_rows = 8192;
    /// Bytes of such a batch.
    batch_bytes = 16 * MIB;
    /// Columns of such a batch.
    batch_columns = 4096;
    /// Bytes of one text in such a batch, and of one entry of a dictionary.
    string_bytes = MIB;
    /// Transforms that one call may have open.
    transforms = 16;
    /// Models that one call may have open.
    models = 8;
    /// Calls of stages at the same time in one process.
    concurrent_calls = 16;
}

impl Limits {
    /// Values that no call could work with are refused by name.
    pub fn check(&self) -> anyhow::Result<()> {
        for (name, value) in self.entries() {
            anyhow::ensure!(value > 0, "limit {name} is 0: give it at least 1");
        }
        let seconds = [
            ("wall_seconds", self.wall_seconds),
            ("cpu_seconds", self.cpu_seconds),
            ("transform_cpu_seconds", self.transform_cpu_seconds),
            ("admission_seconds", self.admission_seconds),
            ("silence_seconds", self.silence_seconds),
            ("compile_cpu_seconds", self.compile_cpu_seconds),
            ("compile_seconds", self.compile_seconds),
            ("retry_seconds", self.retry_seconds),
        ];
        for (name, value) in seconds {
            let year = 366 * 24 * 3600;
            anyhow::ensure!(
                value <= year,
                "limit {name} is {value}: give it at most {year}, a year"
            );
        }
        for (name, value, least) in [
            ("stack_bytes", self.stack_bytes, 64 * KIB),
            // The program alone needs some of it.
            ("compile_memory_bytes", self.compile_memory_bytes, 256 * MIB),
        ] {
            anyhow::ensure!(
                value >= least,
                "limit {name} is {value}: give it at least {least}"
            );
        }
        for (name, value, most) in [
            ("stack_bytes", self.stack_bytes, 64 * MIB),
            ("batch_rows", self.batch_rows, 8192),
            ("batch_bytes", self.batch_bytes, 16 * MIB),
            ("summary_bytes", self.summary_bytes, 64 * KIB),
            ("read_bytes", self.read_bytes, GIB),
            ("component_bytes", self.component_bytes, GIB),
            ("concurrent_calls", self.concurrent_calls, 1000),
        ] {
            anyhow::ensure!(
                value <= most,
                "limit {name} is {value}: give it at most {most}"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        Limits::default().check().unwrap();
        assert!(Limits::NAMES.contains(&"batch_rows"));
    }

    #[test]
    fn an_error_names_limit_value_and_what_was_asked() {
        let error = Exceeded::check("outputs", 64, 65).unwrap_err();
        assert_eq!(
            error.to_string(),
            "limit outputs allows 64; 65 was asked for"
        );
        Exceeded::check("outputs", 64, 64).unwrap();
        assert_eq!(
            Exceeded::more("host_call_bytes", 64).to_string(),
            "limit host_call_bytes allows 64; more was asked for"
        );
    }

    #[test]
    fn settings_override_single_limits_and_unknown_ones_are_refused() {
        let limits: Limits = toml::from_str("wall_seconds = 5").unwrap();
        assert_eq!(limits.wall_seconds, 5);
        assert_eq!(limits.batch_rows, 8192);
        let error = toml::from_str::<Limits>("wal_seconds = 5").unwrap_err();
        assert!(error.to_string().contains("wal_seconds"), "{error}");
        let zero: Limits = toml::from_str("outputs = 0").unwrap();
        assert!(zero.check().unwrap_err().to_string().contains("outputs"));
        for (text, least) in [
            ("stack_bytes = 1", "65536"),
            ("compile_memory_bytes = 9", "268435456"),
        ] {
            let small: Limits = toml::from_str(text).unwrap();
            let told = small.check().unwrap_err().to_string();
            assert!(
                told.ends_with(&format!("give it at least {least}")),
                "{told}"
            );
        }
        let rows: Limits = toml::from_str("batch_rows = 9000").unwrap();
        assert!(rows.check().unwrap_err().to_string().contains("8192"));
    }
}
