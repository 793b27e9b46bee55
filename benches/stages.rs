//! What the stages take on tables of many rows: seconds and memory, and how they grow.
//!
//! `cargo bench --bench stages` runs all of it (about ten minutes, 3 GB of disk);
//! `cargo bench --bench stages -- 20000 200000` runs tables of so many rows.

use std::{
    error::Error,
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    process::Command,
    time::Instant,
};

use draw::Draw;
use serde_json::Value;

#[path = "../tests/support/draw.rs"]
mod draw;

const COLUMNS: usize = 40;
const COLOURS: [&str; 6] = ["red", "green", "blue", "black", "white", "grey"];

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A CSV file of mixed columns: an identifier, a time, numbers with gaps, whole numbers, texts,
/// booleans and a target that some of them tell something of.
fn write(path: &Path, rows: usize, seed: u64) -> Result<()> {
    let mut draw = Draw(seed);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    write!(out, "id,when")?;
    for column in 2..COLUMNS - 1 {
        write!(out, ",c{column}")?;
    }
    writeln!(out, ",bought")?;
    for row in 0..rows {
        let (day, hour) = (draw.next() % 28 + 1, draw.next() % 24);
        write!(
            out,
            "{seed}-{row},2026-{:02}-{day:02} {hour:02}:00:00",
            draw.next() % 12 + 1
        )?;
        let mut score = -0.5;
        for column in 2..COLUMNS - 1 {
            match column % 5 {
                0 | 1 => {
                    let number = draw.share() + draw.share() + draw.share() - 1.5;
                    score += if column < 12 { number } else { 0.0 };
                    if draw.next().is_multiple_of(20) {
                        write!(out, ",")?;
                    } else {
                        write!(out, ",{number:.5}")?;
                    }
                }
                2 => write!(out, ",{}", draw.next() % 1000)?,
                3 => {
                    let colour = (draw.next() % COLOURS.len() as u64) as usize;
                    score += if column == 3 {
                        colour as f64 / 5.0
                    } else {
                        0.0
                    };
                    write!(out, ",{}", COLOURS.get(colour).unwrap_or(&""))?;
                }
                _ => write!(out, ",{}", draw.next().is_multiple_of(2))?,
            }
        }
        let bought = 1.0 / (1.0 + (-3.0 * score).exp()) > draw.share();
        writeln!(out, ",{}", if bought { "yes" } else { "no" })?;
    }
    Ok(out.flush()?)
}

/// Runs the binary in `folder`; gives the object it prints and the seconds it took.
fn septet(folder: &Path, arguments: &[&str]) -> Result<(Value, f64)> {
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_septet"))
        .args(arguments)
        .current_dir(folder)
        .output()?;
    let seconds = began.elapsed().as_secs_f64();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok((serde_json::from_slice(&output.stdout)?, seconds))
}

/// Most memory that was used, in MiB.
fn memory(report: &Value) -> u64 {
    let bytes = report.get("peak_memory_bytes").and_then(Value::as_u64);
    bytes.unwrap_or_default() >> 20
}

/// The stages of a run, a line each.
fn show(head: &str, report: &Value, seconds: f64) {
    println!("\n{head}: {seconds:.1} s in all");
    for stage in report
        .get("stages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let cached = stage.get("cached").and_then(Value::as_bool) == Some(true);
        println!(
            "  {:<11} {:>8} s {:>8} MiB",
            stage
                .get("stage")
                .and_then(Value::as_str)
                .unwrap_or_default(),
            if cached {
                "cached".to_owned()
            } else {
                format!(
                    "{:.2}",
                    stage
                        .get("seconds")
                        .and_then(Value::as_f64)
                        .unwrap_or_default()
                )
            },
            memory(stage),
        );
    }
}

fn main() -> Result<()> {
    let asked: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    // The stages are compiled before anything is timed.
    write(&folder.join("warm.csv"), 500, 1)?;
    septet(folder, &["run", "warm.csv", "--target", "bought", "--json"])?;

    let all = [20_000, 200_000];
    for rows in if asked.is_empty() {
        all.to_vec()
    } else {
        asked.clone()
    } {
        let name = format!("rows{rows}.csv");
        write(&folder.join(&name), rows, rows as u64)?;
        let (report, seconds) = septet(folder, &["run", &name, "--target", "bought", "--json"])?;
        show(
            &format!("run, {rows} rows x {COLUMNS} columns"),
            &report,
            seconds,
        );
        let metric = |name: &str| {
            let value = report.pointer(&format!("/metrics/{name}"));
            value.and_then(Value::as_f64).unwrap_or_default()
        };
        println!(
            "  accuracy {:.4} roc_auc {:.4}",
            metric("accuracy"),
            metric("roc_auc")
        );
    }
    if !asked.is_empty() {
        return Ok(());
    }

    // Too many rows to train on in one component; ingest does not mind.
    write(&folder.join("rows2000000.csv"), 2_000_000, 2)?;
    let arguments = [
        "invoke",
        "ingest",
        "--input",
        "source=rows2000000.csv",
        "--out",
        "out",
        "--json",
    ];
    let (report, seconds) = septet(folder, &arguments)?;
    let mebibytes = memory(&report);
    println!("\ningest, 2000000 rows x {COLUMNS} columns: {seconds:.1} s in all, {mebibytes} MiB");

    // A file a day; then one more.
    let days = folder.join("days");
    std::fs::create_dir(&days)?;
    for day in 0..20 {
        write(&days.join(format!("day{day:02}.csv")), 10_000, 100 + day)?;
    }
    let arguments = ["run", "days", "--target", "bought", "--key", "id", "--json"];
    let (report, seconds) = septet(folder, &arguments)?;
    show("20 daily files of 10000 rows", &report, seconds);
    write(&days.join("day20.csv"), 10_000, 120)?;
    let (report, seconds) = septet(folder, &arguments)?;
    show("one more daily file", &report, seconds);
    Ok(())
}
