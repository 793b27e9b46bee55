//! Builds guest components for `wasm32-wasip2`, so that equal sources give equal bytes.
//!
//! The host's build script uses it for the seven stages, and the tests for their fixtures. It owns
//! the environment and the flags of that build; it must not know what a component is for, and it
//! uses nothing but std, because a build script's dependencies are built first and slowly.

use std::{
    env, fs,
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

/// The target that every component is built for.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// The profile that every component is built with.
const PROFILE: &str = "component";

/// What the inner cargo may see of the outer environment.
///
/// An allow list, because what leaks in changes the bytes or breaks the build: `RUSTFLAGS` of a
/// native build (`target-cpu=native`), clippy's `RUSTC_WORKSPACE_WRAPPER`, `CARGO_PROFILE_*`, and
/// the outer build's `CARGO_FEATURE_*` and `CARGO_CFG_*`.
const PASSED: [&str; 33] = [
    "ALL_PROXY",
    "CARGO_HOME",
    "CARGO_HTTP_CAINFO",
    "CARGO_HTTP_PROXY",
    "CARGO_HTTP_TIMEOUT",
    "CARGO_MAKEFLAGS",
    "CARGO_NET_OFFLINE",
    "CARGO_NET_RETRY",
    "CURL_CA_BUNDLE",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LOGNAME",
    "NO_PROXY",
    "PATH",
    "RUSTC",
    "RUSTUP_AUTO_INSTALL",
    "RUSTUP_DIST_SERVER",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "RUSTUP_UPDATE_ROOT",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TEMP",
    "TMP",
    "TMPDIR",
    "USER",
    "XDG_CACHE_HOME",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Builds `packages` of the workspace at `workspace` below `target`, and gives their bytes in that
/// order.
///
/// One folder serves all profiles of the outer build, and a file lock keeps two of them (`cargo
/// build` in a terminal and an editor's `cargo clippy`) from taking each other's files.
///
/// # Errors
///
/// What the inner cargo said, whole; or which file could not be read or written.
pub(crate) fn build(
    workspace: &Path,
    target: &Path,
    packages: &[&str],
) -> Result<Vec<Vec<u8>>, String> {
    fs::create_dir_all(target).map_err(|error| format!("{}: {error}", target.display()))?;
    let path = target.join(".septet-lock");
    let lock = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    lock.lock()
        .map_err(|error| format!("{}: {error}", path.display()))?;

    let toolchain = Toolchain::find(workspace)?;
    if !toolchain.has_target() {
        let script = workspace.join("scripts/install-wasm-target");
        run(command("bash", workspace).arg(script))?;
    }
    let mut cargo = command(env::var("CARGO").as_deref().unwrap_or("cargo"), workspace);
    cargo
        .args([
            "build",
            "--locked",
            "--profile",
            PROFILE,
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(target)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            toolchain.flags(workspace, target)?,
        );
    for package in packages {
        cargo.args(["-p", package]);
    }
    run(&mut cargo)?;

    packages
        .iter()
        .map(|package| read(&built(target, package)))
        .collect()
}

/// Where `build` leaves a package's component.
pub(crate) fn built(target: &Path, package: &str) -> PathBuf {
    target
        .join(TARGET)
        .join(PROFILE)
        .join(format!("{}.wasm", package.replace('-', "_")))
}

/// A component's bytes.
///
/// # Errors
///
/// The file is missing, or is not a component.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    // The magic number, then version 13 of layer 1: a component, where a core module has layer 0.
    if bytes.starts_with(b"\0asm\x0d\0\x01\0") {
        Ok(bytes)
    } else {
        Err(format!("{}: not a WebAssembly component", path.display()))
    }
}

/// The compiler, as far as the bytes of a component depend on it.
struct Toolchain {
    sysroot: PathBuf,
    commit: String,
}

impl Toolchain {
    fn find(workspace: &Path) -> Result<Self, String> {
        let rustc = env::var("RUSTC");
        let rustc = rustc.as_deref().unwrap_or("rustc");
        let sysroot = run(command(rustc, workspace).args(["--print", "sysroot"]))?;
        let version = run(command(rustc, workspace).arg("-vV"))?;
        let commit = version
            .lines()
            .find_map(|line| line.strip_prefix("commit-hash: "))
            .unwrap_or("unknown");
        Ok(Self {
            sysroot: PathBuf::from(sysroot.trim()),
            commit: commit.to_owned(),
        })
    }

    /// Whether std is installed for the components' target.
    fn has_target(&self) -> bool {
        let lib = self.sysroot.join("lib/rustlib").join(TARGET).join("lib");
        fs::read_dir(lib).is_ok_and(|entries| {
            entries
                .flatten()
                .any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
        })
    }

    /// Flags in cargo's encoding. Paths of this machine are replaced, because panics carry the
    /// path of their source into the component.
    fn flags(&self, workspace: &Path, target: &Path) -> Result<String, String> {
        let mut prefixes = vec![
            (workspace.to_owned(), "/septet".to_owned()),
            // Std's own sources where the component `rust-src` is installed: the compiler then
            // writes their real paths, otherwise the name on the right.
            (
                self.sysroot.join("lib/rustlib/src/rust"),
                format!("/rustc/{}", self.commit),
            ),
        ];
        // A mirror has another folder than the registry itself. By now the outer cargo has
        // downloaded the host's dependencies, so that the folder is there.
        let sources = cargo_home()?.join("registry/src");
        for entry in fs::read_dir(&sources).into_iter().flatten().flatten() {
            prefixes.push((entry.path(), "/cargo".to_owned()));
        }
        // The last match counts, and this folder may be within the workspace's.
        prefixes.push((target.to_owned(), "/target".to_owned()));
        let flags: Vec<_> = prefixes
            .iter()
            .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
            .collect();
        Ok(flags.join("\u{1f}"))
    }
}

fn cargo_home() -> Result<PathBuf, String> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
        .ok_or_else(|| "neither CARGO_HOME nor HOME is set: set one of them".to_owned())
}

/// A command in the workspace that sees only what it may.
fn command(program: &str, workspace: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace).env_clear();
    for name in PASSED {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    // `ahash` draws constants at compile time, from this where it is set. Incremental builds give
    // other bytes than clean ones.
    command
        .env("CONST_RANDOM_SEED", "septet")
        .env("CARGO_INCREMENTAL", "0");
    command
}

/// Standard output of a command that succeeds; otherwise all that it said.
fn run(command: &mut Command) -> Result<String, String> {
    let shown = format!("{command:?}");
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Ok(text.into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!("{complaint}{text}\n{shown}: {}", output.status))
}
