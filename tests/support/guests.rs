//! Builds the guests of `tests/fixtures/guests`, once for all tests.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// All guests: a file each in `tests/fixtures/guests/examples`.
pub(crate) const GUESTS: [&str; 12] = [
    "adapter",
    "chain",
    "deploy",
    "evaluate",
    "infer",
    "ingest",
    "monitor",
    "preprocess",
    "shim",
    "train",
    "transform",
    "unlike",
];

/// What a nested cargo may see: a host's RUSTFLAGS or clippy's wrapper must not reach a guest.
const ENVIRONMENT: [&str; 20] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "USER",
    "CARGO_HOME",
    "CARGO_HTTP_CAINFO",
    "CARGO_HTTP_PROXY",
    "CARGO_NET_OFFLINE",
    "CARGO_NET_RETRY",
    "CURL_CA_BUNDLE",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "RUSTUP_DIST_SERVER",
    "RUSTUP_UPDATE_ROOT",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "https_proxy",
];

/// The workspace's folder.
pub(crate) fn workspace() -> &'static Path {
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    host.parent().unwrap()
}

fn target() -> PathBuf {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR"));
    own.parent().unwrap().join("components")
}

/// The component of a guest.
pub(crate) fn guest(name: &str) -> &'static [u8] {
    static BUILT: OnceLock<BTreeMap<String, &'static [u8]>> = OnceLock::new();
    let built = BUILT.get_or_init(build);
    built
        .get(name)
        .unwrap_or_else(|| panic!("there is no guest {name}"))
}

/// A command that sees nothing of the outer build: neither its flags nor its wrapper.
pub(crate) fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(
        ENVIRONMENT
            .iter()
            .filter_map(|name| Some((name, env::var_os(name)?))),
    );
    command
}

fn build() -> BTreeMap<String, &'static [u8]> {
    examples("septet-fixtures", &GUESTS)
}

/// Builds the examples of a package for wasm.
pub(crate) fn examples(package: &str, names: &[&str]) -> BTreeMap<String, &'static [u8]> {
    let target = target();
    let mut cargo = clean(env!("CARGO"));
    cargo
        .current_dir(workspace())
        .env("CONST_RANDOM_SEED", "septet")
        .args(["build", "--locked", "--release", "--quiet"])
        .args(["--target", "wasm32-wasip2", "--package", package])
        .args(["--examples", "--target-dir"])
        .arg(&target);
    let output = cargo.output().expect("cargo can be run");
    assert!(
        output.status.success(),
        "the guests can't be built:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let folder = target.join("wasm32-wasip2/release/examples");
    let read = |name: &&str| {
        // A library's file has the name of its crate.
        let file = folder.join(format!("{}.wasm", name.replace('-', "_")));
        let bytes = fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        ((*name).to_owned(), &*Vec::leak(bytes))
    };
    names.iter().map(read).collect()
}
