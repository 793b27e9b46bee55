//! Embeds the seven default stages, infer for ONNX, and what they are composed with on Spin: builds their components, or
//! takes those of `SEPTET_COMPONENTS`, and writes the tables that `src/components.rs` includes.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

#[path = "build/guests.rs"]
mod guests;

/// In the order of the host's `Stage::ALL`.
const STAGES: [&str; 7] = [
    "Ingest",
    "Preprocess",
    "Train",
    "Evaluate",
    "Deploy",
    "Infer",
    "Monitor",
];

/// Infers with models of ONNX.
const INFER_ONNX: &str = "septet-infer-onnx";

/// What a stage is composed with on Spin.
const SPIN: [&str; 6] = [
    "septet-spin-capabilities",
    "septet-spin-front",
    "septet-spin-gateway",
    "septet-spin-models",
    "septet-spin-serving",
    "septet-spin-transforms",
];

fn main() -> ExitCode {
    match embed() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("the stages' components can't be embedded\n{message}");
            ExitCode::FAILURE
        }
    }
}

fn embed() -> Result<(), String> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let workspace = manifest.parent().unwrap_or(&manifest);
    let stages = STAGES.map(|stage| format!("septet-{}", stage.to_lowercase()));
    let stages = stages.iter().map(String::as_str);
    let packages: Vec<&str> = stages.chain(SPIN).chain([INFER_ONNX]).collect();

    write_helper(workspace, &out)?;
    println!("cargo::rerun-if-env-changed=SEPTET_COMPONENTS");
    let components = if let Some(folder) = env::var_os("SEPTET_COMPONENTS") {
        prebuilt(&workspace.join(folder), &packages)?
    } else {
        watch(workspace, &packages);
        let target = target_folder(&out).join("components");
        // Builds apart: what others ask of a library must not change the bytes of a stage.
        let (stages, others) = packages.split_at(STAGES.len());
        let (spin, onnx) = others.split_at(SPIN.len());
        let mut components = guests::build(workspace, &target, stages)?;
        components.extend(guests::build(workspace, &target, spin)?);
        components.extend(guests::build(workspace, &target, onnx)?);
        components
    };

    let (stages, others) = components.split_at(STAGES.len());
    let (spin, onnx) = others.split_at(SPIN.len());
    for bytes in onnx {
        let path = out.join("infer-onnx.wasm");
        fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let keys = STAGES.map(|stage| format!("Stage::{stage}"));
    write_table(&out, "embedded", &keys, stages)?;
    // As a literal of Rust: quoted and escaped.
    let keys = SPIN.map(|package| format!("{package:?}"));
    write_table(&out, "spin", &keys, spin)
}

/// Writes the table of the files of the Python package, by where an external stage finds them.
fn write_helper(workspace: &Path, out: &Path) -> Result<(), String> {
    let folder = workspace.join("python/septet");
    println!("cargo::rerun-if-changed={}", folder.display());
    let wrong = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(wrong)? {
        let name = entry.map_err(wrong)?.file_name();
        let name = name.to_string_lossy().into_owned();
        if Path::new(&name)
            .extension()
            .is_some_and(|ending| ending == "py")
        {
            names.push(name);
        }
    }
    names.sort();
    let mut table = "[".to_owned();
    for name in names {
        let (place, file) = (format!("septet/{name}"), folder.join(&name));
        let file = file.display().to_string();
        let _ = write!(table, "({place:?}, include_str!({file:?})),");
    }
    table.push(']');
    let place = out.join("helper.rs");
    fs::write(&place, table).map_err(|error| format!("{}: {error}", place.display()))
}

/// Writes components and the table of them: an array of pairs, as an expression of Rust.
fn write_table(
    out: &Path,
    name: &str,
    keys: &[String],
    components: &[Vec<u8>],
) -> Result<(), String> {
    let mut table = String::from("[\n");
    for (number, (key, bytes)) in keys.iter().zip(components).enumerate() {
        let path = out.join(format!("{name}{number}.wasm"));
        fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        // As a literal of Rust: quoted and escaped.
        let literal = path.display().to_string();
        writeln!(table, "    ({key}, include_bytes!({literal:?})),")
            .map_err(|error| error.to_string())?;
    }
    table.push(']');
    let path = out.join(format!("{name}.rs"));
    fs::write(&path, table).map_err(|error| format!("{}: {error}", path.display()))
}

/// Components that were built before: `septet_<package>.wasm`, as a build leaves them. A relative
/// folder is one of the workspace.
fn prebuilt(folder: &Path, packages: &[&str]) -> Result<Vec<Vec<u8>>, String> {
    packages
        .iter()
        .map(|package| {
            let path = folder.join(format!("{}.wasm", package.replace('-', "_")));
            println!("cargo::rerun-if-changed={}", path.display());
            guests::read(&path).map_err(|error| format!("SEPTET_COMPONENTS: {error}"))
        })
        .collect()
}

/// All that the components' bytes depend on. The inner cargo then knows better than the outer
/// what is to be rebuilt.
fn watch(workspace: &Path, packages: &[&str]) {
    let shared = ["kit", "guest", "spin-kit", "spin-store"].into_iter();
    let stages = packages.iter().filter_map(|p| p.strip_prefix("septet-"));
    let components = shared
        .chain(stages)
        .map(|name| format!("components/{name}"));
    let others = [
        "Cargo.lock",
        "Cargo.toml",
        "host/build",
        "host/build.rs",
        // What the gateway is built of.
        "host/core",
        "rust-toolchain.toml",
        "scripts/install-wasm-target",
        "wit",
    ];
    for path in components.chain(others.map(str::to_owned)) {
        // Cargo takes a path that is not there for one that has changed.
        let path = workspace.join(path);
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
}

/// The folder that cargo marks as its own; `out` is somewhere below it.
fn target_folder(out: &Path) -> &Path {
    out.ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists())
        .or_else(|| out.ancestors().nth(4))
        .unwrap_or(out)
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set: run this by cargo"))
}
