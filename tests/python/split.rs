//! `septet split`: scripts of several shapes, each stage found or what could not be placed said; and hostile ones.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, time::Instant};

use serde_json::Value;

use crate::{hosts::oracles::workspace, support::septet::Workplace};

const STAGES: [&str; 7] = [
    "ingest",
    "preprocess",
    "train",
    "evaluate",
    "deploy",
    "infer",
    "monitor",
];

/// A workplace with a script, and what is said of it.
fn taken_apart(script: &str) -> (Workplace, Value) {
    let here = Workplace::new();
    let source = workspace().join("tests/python/scripts").join(script);
    fs::copy(source, here.path(script)).unwrap();
    let told = here.septet(&["split", script, "--json"]).json();
    (here, told)
}

/// The lines of each stage that was found.
fn lines(told: &Value) -> BTreeMap<String, Vec<u64>> {
    let stages = told["stages"].as_array().unwrap().iter();
    stages
        .map(|stage| {
            let ranges = stage["lines"].as_array().unwrap().iter();
            let each = |range: &Value| range[0].as_u64().unwrap()..=range[1].as_u64().unwrap();
            let name = stage["stage"].as_str().unwrap().to_owned();
            (name, ranges.flat_map(each).collect())
        })
        .collect()
}

fn stages(told: &Value) -> Vec<String> {
    let found = lines(told);
    let in_order = STAGES.iter().filter(|stage| found.contains_key(**stage));
    in_order.map(|stage| (*stage).to_owned()).collect()
}

/// A setting of our own that was found, by its path.
fn native(told: &Value, path: &str) -> Value {
    let settings = told["native"].as_array().unwrap().iter();
    let mut found = settings.filter(|setting| {
        let names = setting["path"].as_array().unwrap().iter();
        let names: Vec<_> = names.map(|name| name.as_str().unwrap()).collect();
        format!("{}.{}", setting["stage"].as_str().unwrap(), names.join(".")) == path
    });
    found
        .next()
        .unwrap_or_else(|| panic!("no {path} in {told:#}"))["value"]
        .clone()
}

fn said(told: &Value, list: &str, part: &str) -> Vec<u64> {
    let all = told[list].as_array().unwrap().iter();
    all.filter(|one| one["why"].as_str().unwrap().contains(part))
        .map(|one| one["line"].as_u64().unwrap())
        .collect()
}

/// Whether these are settings that Septet takes, and the stages' own are those of this table.
fn settings_are_taken(here: &Workplace, told: &Value) -> toml::Table {
    let text = told["settings"].as_str().unwrap();
    let mut table: toml::Table = text
        .parse()
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    for stage in STAGES {
        let Some(section) = table.get_mut(stage).and_then(toml::Value::as_table_mut) else {
            continue;
        };
        if let Some(external) = section.remove("external") {
            let command = external["command"].as_array().unwrap();
            assert_eq!(command[0].as_str(), Some("python3"));
            assert_eq!(external["files"].as_array().unwrap()[0], command[1]);
        }
        if section.is_empty() {
            table.remove(stage);
        }
    }
    // The whole is taken, too.
    for stage in STAGES {
        here.write(&format!("{stage}.py"), "");
    }
    here.write("whole.toml", text);
    here.septet(&["--config", "whole.toml", "stages"]).ok();
    here.write("own.toml", table.to_string());
    here.septet(&["--config", "own.toml", "stages"]).ok();
    text.parse().unwrap()
}

fn external(table: &toml::Table) -> Vec<&str> {
    let has = |stage: &&str| {
        table
            .get(*stage)
            .is_some_and(|section| section.get("external").is_some())
    };
    STAGES.into_iter().filter(has).collect()
}

#[test]
fn a_flat_script() {
    let (here, told) = taken_apart("titanic.py");
    assert_eq!(
        stages(&told),
        ["ingest", "preprocess", "train", "evaluate", "infer"]
    );
    let lines = lines(&told);
    assert_eq!(lines["ingest"], [10, 11]);
    assert_eq!(lines["train"], [36, 37]);
    assert_eq!(lines["evaluate"], [39, 40, 41, 42]);
    assert_eq!(lines["infer"], [44, 45]);
    assert!(lines["preprocess"].contains(&34));
    assert_eq!(
        (told["target"].as_str(), told["task"].as_str()),
        (Some("Survived"), Some("classification"))
    );
    assert_eq!(native(&told, "train.algorithm"), "random-forest");
    assert_eq!(native(&told, "train.parameters.n_estimators"), 200);
    assert_eq!(native(&told, "preprocess.columns.Age.impute"), "median");
    assert_eq!(native(&told, "preprocess.columns.Embarked.fill_value"), "S");
    assert_eq!(native(&told, "preprocess.test_share"), 0.25);
    assert_eq!(native(&told, "preprocess.numbers.scale"), "none");
    assert_eq!(
        said(&told, "no_counterpart", "write a transform"),
        [19, 23, 24, 28]
    );
    assert_eq!(said(&told, "unplaced", "calls upload"), [46]);
    let table = settings_are_taken(&here, &told);
    assert_eq!(
        external(&table),
        [
            "ingest",
            "preprocess",
            "train",
            "evaluate",
            "deploy",
            "infer"
        ]
    );
    assert_eq!(table["run"]["seed"].as_integer(), Some(42));
}

#[test]
fn classes_functions_a_pipeline_and_a_server() {
    let (here, told) = taken_apart("churn.py");
    assert_eq!(stages(&told), STAGES);
    let lines = lines(&told);
    // Whole functions, where they do the work of one stage.
    assert_eq!(lines["ingest"], [52, 53, 54, 55]);
    assert_eq!(lines["monitor"], (64..=70).collect::<Vec<_>>());
    assert!(lines["deploy"].contains(&49) && lines["deploy"].contains(&75));
    assert!(lines["infer"].contains(&83) && lines["infer"].contains(&94));
    assert!(
        !lines["infer"].contains(&96),
        "main calls what all stages do"
    );
    assert_eq!(native(&told, "preprocess.numbers.impute"), "median");
    assert_eq!(
        native(&told, "preprocess.categories.impute"),
        "most-frequent"
    );
    assert_eq!(native(&told, "preprocess.categories.unknown"), "ignore");
    assert_eq!(native(&told, "preprocess.categories.max_categories"), 20);
    assert_eq!(native(&told, "preprocess.class_weight"), "balanced");
    assert_eq!(native(&told, "train.parameters.C"), 0.5);
    assert_eq!(said(&told, "unplaced", "cleaning.normalise"), [54]);
    let files: Vec<_> = told["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["file"].as_str().unwrap())
        .collect();
    assert!(
        files.contains(&"data/customers.csv") && files.contains(&"models/churn.joblib"),
        "{files:?}"
    );
    let flows = told["flows"].to_string();
    assert!(
        flows.contains(r#"{"from":"train","names":["self.pipeline"],"to":"deploy"}"#),
        "{flows}"
    );
    let table = settings_are_taken(&here, &told);
    assert_eq!(external(&table), STAGES);

    // The settings do what they say once the commands are gone.
    let mut rows = String::from("tenure,monthly_charges,total_charges,contract,region,churn\n");
    for row in 0..300 {
        let (tenure, left) = (row % 37, row % 5 == 0 || row % 37 < 4);
        let contract = if left { "monthly" } else { "yearly" };
        let total = if row % 11 == 0 {
            String::new()
        } else {
            (tenure * 20).to_string()
        };
        let region = row % 3;
        writeln!(
            rows,
            "{tenure},{}.5,{total},{contract},r{region},{left}",
            row % 13
        )
        .unwrap();
    }
    here.write("customers.csv", rows);
    let run = [
        "--config",
        "own.toml",
        "run",
        "customers.csv",
        "--name",
        "churn",
    ];
    here.septet(&run).ok();
    let models = here
        .septet(&["models", "show", "churn", "--json"])
        .json()
        .to_string();
    for part in ["logistic-regression", r#""C":0.5"#, r#""max_iter":500"#] {
        assert!(models.contains(part), "{part}: {models}");
    }

    // What lies beside the script and is imported goes with it.
    here.write("cleaning.py", "def normalise(df): return df\n");
    let told = here
        .septet(&["split", "churn.py", "--json", "--out", "septet.toml"])
        .json();
    let written = fs::read_to_string(here.path("septet.toml")).unwrap();
    assert_eq!(told["settings"].as_str(), Some(written.as_str()));
    assert!(
        written.contains(r#"files = ["train.py", "churn.py", "cleaning.py"]"#),
        "{written}"
    );
    let line = here
        .septet(&["split", "churn.py", "--out", "septet.toml"])
        .refused();
    assert!(line.contains("septet.toml is already there"), "{line}");
}

#[test]
fn an_export_of_a_notebook() {
    let (here, told) = taken_apart("housing.py");
    assert_eq!(
        stages(&told),
        ["ingest", "preprocess", "train", "evaluate", "deploy"]
    );
    assert_eq!(told["aside"].as_array().unwrap().len(), 10);
    assert_eq!(told["target"], "median_house_value");
    assert_eq!(told["task"], "regression");
    assert_eq!(native(&told, "preprocess.numbers.scale"), "min-max");
    assert_eq!(native(&told, "train.parameters.alpha"), 2.5);
    assert_eq!(said(&told, "no_counterpart", "fit_intercept"), [61]);
    settings_are_taken(&here, &told);
    let page = here.septet(&["split", "housing.py"]).ok().stdout;
    for part in [
        "housing.py: 73 lines, 5 of the seven stages",
        "Not in it: infer (Septet's own at first), monitor (Septet's own at first)",
        "read   https://example.com/data/housing.csv  ingest, line 23",
        "Target: median_house_value, a regression",
        "Left aside, for it is no Python: lines 11-12, 33-37, 41, 60, 63",
        "alpha = 2.5  # Ridge, line 61",
    ] {
        assert!(page.contains(part), "'{part}' is not in:\n{page}");
    }
}

#[test]
fn the_script_of_the_example() {
    let script = workspace().join("examples/monolith/monolith.py");
    let here = Workplace::new();
    fs::copy(script, here.path("monolith.py")).unwrap();
    let told = here.septet(&["split", "monolith.py", "--json"]).json();
    assert_eq!(stages(&told), STAGES);
    assert_eq!(
        (told["target"].as_str(), told["task"].as_str()),
        (Some("progression"), Some("regression"))
    );
    assert_eq!(native(&told, "train.algorithm"), "ridge");
    assert_eq!(native(&told, "preprocess.numbers.scale"), "standard");
    assert_eq!(told["unplaced"].as_array().unwrap().len(), 0, "{told:#}");
    settings_are_taken(&here, &told);
}

/// What `septet split` says of these bytes, in one line.
fn refused(bytes: impl AsRef<[u8]>) -> String {
    let here = Workplace::new();
    here.write("script.py", bytes);
    let began = Instant::now();
    let line = here
        .septet(&["split", "script.py", "--out", "septet.toml"])
        .refused();
    assert!(began.elapsed().as_secs() < 60, "{line}");
    assert!(!here.path("septet.toml").exists());
    assert!(line.contains("script.py"), "{line}");
    line
}

#[test]
fn what_is_no_script_is_one_line() {
    for (bytes, why) in [
        (
            b"import os\nx = = 1\n".to_vec(),
            "line 2: it is not Python 3",
        ),
        (b"print 'two'\n".to_vec(), "line 1: it is not Python 3"),
        (vec![b'#'; 10 << 20], "over 1024 KiB"),
        (b"x = 1\0\n".to_vec(), "null bytes"),
        (
            b"\x7fELF\x02\x01\x01\xff\xfe".to_vec(),
            "it is not a script of Python",
        ),
        (
            b"# coding: no-such\nx = 1\n".to_vec(),
            "it is not a script of Python",
        ),
        ("(".repeat(100_000).into_bytes(), "it is"),
        (
            format!("x = {}1", "-".repeat(200_000)).into_bytes(),
            "nested too deeply",
        ),
        (
            format!("x = 1{}", "+1".repeat(100_000)).into_bytes(),
            "nested too deeply",
        ),
        (
            format!("x = a{}", ".b".repeat(100_000)).into_bytes(),
            "nested too deeply",
        ),
    ] {
        let line = refused(&bytes);
        assert!(line.contains(why), "'{why}' is not in: {line}");
    }
    let here = Workplace::new();
    let line = here.septet(&["split", "nowhere.py"]).refused();
    assert!(line.contains("nowhere.py can't be read"), "{line}");
    let line = here.septet(&["split", "."]).refused();
    assert!(line.contains("is a folder"), "{line}");
    here.write("a.ipynb", "{}");
    let line = here.septet(&["split", "a.ipynb"]).refused();
    assert!(line.contains("jupyter nbconvert"), "{line}");
    here.write("a.py", "x = 1\n");
    let line = here
        .septet(&["split", "a.py", "--python", "no-such-python"])
        .refused();
    assert!(line.contains("there is no no-such-python here"), "{line}");
    let line = here
        .septet(&["split", "a.py", "--python", "/bin/false"])
        .refused();
    assert!(line.contains("/bin/false can't take a.py apart"), "{line}");
}

#[test]
fn nothing_of_a_script_is_run_and_endless_ones_end() {
    let here = Workplace::new();
    let endless = "\
import os
open('run', 'w').write('x')
os.system('touch run')
def f(df):
    return g(f(df)) + f(g(df))
def g(df):
    g.df = f(df)
    return [f(g(x)) for x in g(df)]
class A(A):
    def __init__(self): self.a = A(); self.a.b(A(self))
    def b(self): return self.b()
A().b()
f(1)
while True:
    x = [x, x]
    x = (x,) + (x,)
a = 'x' * 10 ** 12
b = a + a
";
    here.write("endless.py", endless);
    here.septet(&["split", "endless.py"]).ok();
    assert!(!here.path("run").exists());

    // Each function calls the next one twice: two to the hundredth calls.
    let mut many = String::new();
    for number in 0..100 {
        let next = number + 1;
        writeln!(
            many,
            "def f{number}(df):\n    f{next}(df)\n    return f{next}(df)"
        )
        .unwrap();
    }
    many += "f0(1)\n";
    here.write("many.py", &many);
    let ran = here.septet(&["split", "many.py"]);
    assert!(ran.code == Some(0) || ran.refused().contains("too large to be followed"));

    // The same step twice over, sixty times over.
    let doubled = "import pandas\nfrom sklearn.pipeline import Pipeline\nd = pandas.read_csv('a')\n"
        .to_owned()
        + &"d = (d, d)\n".repeat(60) + "Pipeline(d)\n";
    here.write("doubled.py", doubled);
    here.septet(&["split", "doubled.py"]).ok();

    // Names that steer a terminal or end a comment.
    here.write(
        "steer.py",
        "import pandas\ndf = pandas.read_csv('a\\n[run]\\x1b[2J')\ny = df['\\x1b]0;x\\n[evil]']\n",
    );
    let ran = here.septet(&["split", "steer.py"]).ok();
    assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
    let told = here.septet(&["split", "steer.py", "--json"]).json();
    let table: toml::Table = told["settings"].as_str().unwrap().parse().unwrap();
    assert!(!table.contains_key("evil"), "{table}");
}

#[test]
fn the_analysis_is_short_enough_to_be_read() {
    let folder = Path::new("host/src/cli/split");
    for name in ["begin", "known", "analyse", "calls", "main"] {
        let text = fs::read_to_string(workspace().join(folder).join(format!("{name}.py"))).unwrap();
        assert!(text.lines().all(|line| line.len() <= 150), "{name}");
        assert!(
            !text.contains("__import__") && !text.contains("importlib"),
            "{name}"
        );
    }
}
