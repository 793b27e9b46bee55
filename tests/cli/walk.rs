//! Thirty days of a model: a file a day, and what comes with them. After each step the alias log
//! must hold the right decision, and only that.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::{
    draw::Draw,
    septet::{Ran, Workplace},
};

const ROWS: u64 = 100;

/// About normal: mean 0, deviation 1.
fn normal(draw: &mut Draw) -> f64 {
    (0..12).map(|_| draw.share()).sum::<f64>() - 6.0
}

/// What is unlike other days.
#[derive(Clone, Copy, Default)]
struct Day {
    /// Added to `load`.
    shift: f64,
    /// The file has another name for `load`.
    renamed: bool,
    /// The file has one more column.
    more: bool,
    /// The labels of a few rows are other ones.
    corrected: bool,
}

/// A day's file. `load` above 0 and `heat` up to 1 make a failure, and `load` below 0 with `heat`
/// above 1 does too: a line can tell four of five, a forest nearly all.
fn csv(day: u64, what: Day) -> String {
    let mut draw = Draw(day * 1000);
    let load = if what.renamed { "load_kw" } else { "load" };
    let more = if what.more { ",operator" } else { "" };
    let mut csv = format!("id,day,{load},heat,site{more},failed\n");
    for row in 0..ROWS {
        let (load, heat) = (normal(&mut draw), normal(&mut draw));
        let site = ["north", "south", "west"][(draw.next() % 3) as usize];
        let mut failed = (load > 0.0) != (heat > 1.0);
        failed ^= draw.share() < 0.03;
        failed ^= what.corrected && row % 25 == 0;
        let load = load + what.shift;
        let more = if what.more { ",ann" } else { "" };
        let failed = if failed { "yes" } else { "no" };
        writeln!(
            csv,
            "{day}-{row},2026-06-{day:02},{load:.4},{heat:.4},{site}{more},{failed}"
        )
        .unwrap();
    }
    csv
}

struct Walk {
    here: Workplace,
    /// Moves of the alias that there have been.
    moves: Vec<(Option<u64>, u64)>,
}

impl Walk {
    fn new() -> Self {
        let here = Workplace::new();
        std::fs::create_dir(here.path("days")).unwrap();
        Self {
            here,
            moves: Vec::new(),
        }
    }

    fn day(&self, day: u64, what: Day) -> String {
        let name = format!("days/day{day:02}.csv");
        self.here.write(&name, csv(day, what));
        name
    }

    fn command(&self, arguments: &[&str]) -> Ran {
        self.here.septet(arguments)
    }

    /// Trains on all files of the folder.
    fn run(&self, more: &[&str]) -> (Value, String) {
        let arguments = [
            "run",
            "days",
            "--target",
            "failed",
            "--key",
            "id",
            "--drop",
            "day",
            "--name",
            "pump",
            "--positive",
            "yes",
            "--json",
        ];
        let ran = self.command(&[&arguments, more].concat()).ok();
        (
            serde_json::from_str(&ran.stdout).unwrap(),
            ran.stderr.clone(),
        )
    }

    /// A run whose candidate became the champion, or did not: the log must say the same.
    #[track_caller]
    fn decided(&mut self, report: &Value) -> bool {
        let version = report["model"]["version"].as_u64().unwrap();
        let passed = report["gate"]["verdict"] == "pass";
        let before = self.champion();
        if passed && before != Some(version) {
            self.moves.push((before, version));
        }
        self.check();
        passed
    }

    fn champion(&self) -> Option<u64> {
        self.moves.last().map(|(_, to)| *to)
    }

    /// The alias log is what it should be, and the alias is where its last entry says.
    #[track_caller]
    fn check(&self) {
        let log = self.command(&["models", "log", "pump", "--json"]).json();
        let moves: Vec<_> = log["log"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["alias"] == "champion")
            .map(|entry| {
                assert!(!entry["reason"].as_str().unwrap().is_empty(), "{entry}");
                (entry["from"].as_u64(), entry["to"].as_u64().unwrap())
            })
            .collect();
        assert_eq!(moves, self.moves, "{log}");
        let shown = self.command(&["models", "show", "pump", "--json"]).json();
        assert_eq!(shown["aliases"][0]["version"].as_u64(), self.champion());
    }

    /// Ingests that were executed, and not answered from the ledger.
    fn ingested(report: &Value) -> usize {
        report["stages"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|stage| stage["stage"] == "ingest" && stage["cached"] == false)
            .count()
    }

    fn monitor(&self, file: &str) -> Value {
        self.command(&[
            "monitor", file, "--model", "pump", "--labels", "failed", "--json",
        ])
        .json()
    }
}

#[test]
fn thirty_days_of_a_model() {
    let mut walk = Walk::new();
    first_days(&mut walk);
    schema(&mut walk);
    late_parts(&mut walk);
    drift(&mut walk);
    challengers(&mut walk);
    last_days(&mut walk);
}

/// Days 1 to 9: the first model and its like.
fn first_days(walk: &mut Walk) {
    let usual = Day::default();
    // Days 1 to 5: the first model. Nothing but the baseline is to be beaten.
    for day in 1..=5 {
        walk.day(day, usual);
    }
    let (report, _) = walk.run(&[]);
    assert_eq!(Walk::ingested(&report), 5);
    assert_eq!(report["model"]["version"], 1);
    assert!(walk.decided(&report), "{report}");

    // Days 6 to 9: a file more each day, of which only that is ingested. The challenger is the
    // same kind of model; whichever way the gate decides, the log follows.
    for day in 6..=9 {
        let file = walk.day(day, usual);
        assert_eq!(walk.monitor(&file)["drifted"], false, "day {day}");
        let (report, _) = walk.run(&[]);
        // Monitoring has ingested the day's file, for whoever comes next.
        assert_eq!(Walk::ingested(&report), 0, "day {day}");
        assert_eq!(report["model"]["version"], day - 4);
        walk.decided(&report);
    }
}

/// Days 10 and 11: a schema that changes by mistake, and one that changes for good.
fn schema(walk: &mut Walk) {
    let usual = Day::default();
    // Day 10: a column has another name. The part is set apart, with its name; the rest of the
    // data set is what it was, and so is the model.
    walk.day(
        10,
        Day {
            renamed: true,
            ..usual
        },
    );
    let (report, told) = walk.run(&[]);
    assert_eq!(report["model"]["version"], 5, "{report}");
    for part in ["day10.csv", "'load'"] {
        assert!(told.contains(part), "no {part} in: {told}");
    }
    walk.check();
    let champion = walk.champion();
    // The file is mended.
    walk.day(10, usual);
    let (report, _) = walk.run(&[]);
    assert_eq!(Walk::ingested(&report), 1);
    assert_eq!(report["model"]["version"], 6);
    if !walk.decided(&report) {
        assert_eq!(walk.champion(), champion);
    }

    // Day 11: a new column is noted and ignored, until it is accepted.
    walk.day(
        11,
        Day {
            more: true,
            ..usual
        },
    );
    let (report, _) = walk.run(&[]);
    assert!(report.to_string().contains("'operator'"), "{report}");
    walk.decided(&report);
    let schema = walk.command(&["schema", "show", "pump"]).ok().stdout;
    assert!(
        !schema.lines().any(|line| line.starts_with("operator")),
        "{schema}"
    );
    walk.command(&[
        "schema",
        "accept",
        "pump",
        "--reason",
        "the crew is known now",
    ])
    .ok();
    let schema = walk.command(&["schema", "show", "pump"]).ok().stdout;
    assert!(
        schema.lines().any(|line| line.starts_with("operator")),
        "{schema}"
    );
    let (report, _) = walk.run(&[]);
    assert_eq!(
        Walk::ingested(&report),
        0,
        "parts are ingested once, whatever the schema"
    );
    walk.decided(&report);
}

/// Days 12 to 14: a late part and a corrected one.
fn late_parts(walk: &mut Walk) {
    let usual = Day::default();
    // Days 12 to 14, the 13th late; and a corrected file of day 7.
    walk.day(12, usual);
    walk.day(14, usual);
    let (report, _) = walk.run(&[]);
    let without = report["model"]["version"].as_u64().unwrap();
    walk.decided(&report);
    walk.day(13, usual);
    let (report, _) = walk.run(&[]);
    assert_eq!(Walk::ingested(&report), 1);
    assert_eq!(
        report["model"]["version"].as_u64(),
        Some(without + 1),
        "a late part"
    );
    walk.decided(&report);
    walk.day(
        7,
        Day {
            corrected: true,
            ..usual
        },
    );
    let (report, _) = walk.run(&[]);
    assert_eq!(Walk::ingested(&report), 1);
    assert_eq!(
        report["model"]["version"].as_u64(),
        Some(without + 2),
        "a corrected part"
    );
    walk.decided(&report);
}

/// Days 15 and 16: drift, and none.
fn drift(walk: &mut Walk) {
    let usual = Day::default();
    // Day 15: the load has drifted, and an alert is sent. Day 16 is as usual again.
    let file = walk.day(
        15,
        Day {
            shift: 3.0,
            ..usual
        },
    );
    let drift = walk.monitor(&file);
    assert_eq!(drift["drifted"], true, "{drift}");
    let drifted: Vec<_> = drift["columns"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|column| column["drifted"] == true)
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    assert_eq!(drifted, ["load"], "{drift}");
    let queues = walk.command(&["queues", "--json"]).json();
    assert!(queues.to_string().contains("alerts"), "{queues}");
    // Its rows are of a broken sensor: they are taken out again.
    std::fs::remove_file(walk.here.path(&file)).unwrap();
    let file = walk.day(16, usual);
    assert_eq!(walk.monitor(&file)["drifted"], false);
}

/// Days 17 to 21: challengers, rollback and return.
fn challengers(walk: &mut Walk) {
    let usual = Day::default();
    // Days 17 to 20: a clearly better challenger wins, a clearly worse one does not.
    for day in 17..=20 {
        walk.day(day, usual);
    }
    let (report, _) = walk.run(&[]);
    walk.decided(&report);
    let simple = walk.champion().unwrap();
    let (report, _) = walk.run(&["--algorithm", "random-forest"]);
    assert!(walk.decided(&report), "a better challenger: {report}");
    let forest = walk.champion().unwrap();
    assert_eq!(report["model"]["version"].as_u64(), Some(forest));
    let stump = ["--algorithm", "decision-tree", "--param", "max_depth=1"];
    let (report, _) = walk.run(&stump);
    assert_eq!(
        report["gate"]["verdict"], "fail",
        "a worse challenger: {report}"
    );
    assert!(!walk.decided(&report));
    assert_eq!(walk.champion(), Some(forest));

    // Day 21: the forest is rolled back. The same run again passes the gate and changes nothing.
    walk.command(&["models", "rollback", "pump", "--reason", "too slow"])
        .ok();
    walk.moves.push((Some(forest), simple));
    walk.check();
    let (report, told) = walk.run(&["--algorithm", "random-forest"]);
    assert_eq!(report["model"]["version"].as_u64(), Some(forest));
    let said = format!("{report}{told}");
    assert!(said.contains("rolled back"), "{said}");
    walk.check();
    // By hand it returns.
    let version = format!("pump@{forest}");
    walk.command(&["models", "promote", &version, "--reason", "it is fast now"])
        .ok();
    walk.moves.push((Some(simple), forest));
    walk.check();
}

/// Days 22 to 30: without a gate.
fn last_days(walk: &mut Walk) {
    let usual = Day::default();
    let forest = walk.champion().unwrap();
    // Days 22 to 30 at once. The model of all days is as good; nobody promotes without a gate.
    for day in 22..=30 {
        walk.day(day, usual);
    }
    let none = ["--algorithm", "decision-tree", "--policy", "none"];
    let (report, _) = walk.run(&none);
    assert_eq!(report["gate"]["verdict"], "no-policy", "{report}");
    walk.check();
    let (report, _) = walk.run(&[&none[..], &["--promote"]].concat());
    let promoted = report["model"]["version"].as_u64().unwrap();
    walk.moves.push((Some(forest), promoted));
    walk.check();
    // The last word: everything again executes nothing.
    let (report, _) = walk.run(&[&none[..], &["--promote"]].concat());
    let stages = report["stages"].as_array().unwrap();
    assert!(
        stages.iter().all(|stage| stage["cached"] == true),
        "{report}"
    );
    walk.check();
}
