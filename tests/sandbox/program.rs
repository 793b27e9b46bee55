//! Some of the attacks through the real program: `septet run --transform FILE`.

use super::evil::evil;
use crate::support::septet::Workplace;

/// Rows that a model can be trained on: `y` says whether `x` is large.
fn rows() -> String {
    let rows = (0..120).map(|row| {
        let x = f64::from(row * 37 % 120) + 0.5;
        let y = if x > 60.0 { "high" } else { "low" };
        format!("{x},{y}\n")
    });
    "x,y\n".to_owned() + &rows.collect::<String>()
}

#[test]
fn the_program_names_what_stopped_an_attack_and_works_on() {
    let place = Workplace::new();
    place.write("rows.csv", rows());
    place.write(
        "septet.toml",
        "[limits]\ntransform_cpu_seconds = 1\ntransform_memory_bytes = 67108864\n",
    );
    let run = |name: &str| {
        let file = format!("{name}.wasm");
        place.write(&file, evil(name));
        place.septet(&["run", "rows.csv", "--target", "y", "--transform", &file])
    };
    for (name, told) in [
        (
            "infinite-loop",
            "limit transform_cpu_seconds allows 1; 2 was asked for",
        ),
        (
            "memory-bomb",
            "limit transform_memory_bytes allows 67108864; ",
        ),
        (
            "instance-bomb",
            "limit instances allows 100; 128 was asked for",
        ),
        ("exit", "it called exit(0)"),
        ("lying-list", "out of bounds"),
        ("shared-memory", "it is not a valid component"),
    ] {
        let line = run(name).refused();
        assert!(line.contains(told), "{name}: {line}");
        assert!(line.len() < 2000, "{name}: {line}");
    }
    // Capabilities are not among what a transform is told of.
    let line = run("import-queue").refused();
    assert!(line.contains("user transform"), "{line}");
    // It sleeps for a year, in no time, and does what it should.
    run("sleep").ok();
}
