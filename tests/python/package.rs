//! The package's own tests, with and without what it can use, and its tables read and written by
//! the kit.

use std::{fs, io::Cursor, path::Path, process::Command};

use septet_kit::{
    arrow,
    table::{Column, Table, Values},
};

use super::pandas;
use crate::hosts::oracles::{run, workspace};

/// A Python that sees the package and leaves nothing in its folder.
fn python(interpreter: &Path) -> Command {
    let mut command = Command::new(interpreter);
    command
        .env("PYTHONPATH", workspace().join("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn unit_tests(interpreter: &Path) -> Result<(), String> {
    run(python(interpreter)
        .args(["-m", "unittest", "discover", "-s"])
        .arg(workspace().join("python/tests")))
}

#[test]
fn the_package_passes_its_tests_on_python_alone() {
    unit_tests(Path::new("python3")).unwrap();
}

#[test]
fn the_package_passes_its_tests_with_pandas_and_pyarrow() {
    let Some(interpreter) = pandas() else { return };
    unit_tests(interpreter).unwrap();
}

/// Reads `in.arrow` as a stage does, and writes the frame back.
const COPY: &str = r#"
import pathlib
from septet import Call, Input, Invocation

folder = pathlib.Path.cwd()
given = Input("table", "", 0, "application/vnd.apache.arrow.file", "in.arrow")
invocation = Invocation("ingest", "r", 0, 1, [given], {}, 0, [])
call = Call(invocation, folder, lambda given: folder / given.path)
frame = call.frame("table")
assert list(map(str, frame.dtypes))[:3] == ["float64", "int64", "bool"], frame.dtypes
assert not isinstance(frame["c"].dtype, __import__("pandas").CategoricalDtype)
call.write("plain", frame)
call.write("same", call.frame("table", categories=True))
"#;

#[test]
fn the_kit_and_the_package_read_each_others_tables() {
    let Some(interpreter) = pandas() else { return };
    let texts = |texts: [&str; 3]| texts.map(ToOwned::to_owned).to_vec();
    let column = |name: &str, values, nulls: &[u32]| Column {
        name: name.to_owned(),
        values,
        nulls: nulls.to_vec(),
    };
    let codes = vec![2, 0, 0];
    let dictionary = texts(["x", "y", "z"]);
    let table = Table {
        rows: 3,
        columns: vec![
            column("f", Values::Floats(vec![0.1, 0.0, -2.5]), &[1]),
            column("i", Values::Integers(vec![i64::MIN, 1, 0]), &[]),
            column("b", Values::Booleans(vec![true, false, true]), &[]),
            column("t", Values::Texts(texts(["", "é", ""])), &[0]),
            column("c", Values::Categories { dictionary, codes }, &[1]),
            column("w", Values::Timestamps(vec![1, -1, 0]), &[2]),
        ],
    };
    let folder = tempfile::tempdir().unwrap();
    let written = arrow::write(Vec::new(), &table).unwrap();
    fs::write(folder.path().join("in.arrow"), &written).unwrap();
    run(python(interpreter).current_dir(&folder).args(["-c", COPY])).unwrap();

    let read = |name: &str| {
        let bytes = fs::read(folder.path().join("outputs").join(name)).unwrap();
        arrow::read(Cursor::new(bytes)).unwrap()
    };
    // The writer gives the slots of nulls one form: what they held does not count.
    assert_eq!(arrow::write(Vec::new(), &read("same")).unwrap(), written);
    let plain = read("plain");
    assert_eq!(plain.columns[4].nulls, [1]);
    assert_eq!(
        plain.columns[4].values,
        Values::Texts(texts(["z", "", "x"]))
    );
    for (before, after) in table.columns.iter().zip(&plain.columns) {
        for row in 0..table.rows {
            assert_eq!(before.label(row), after.label(row), "{}", before.name);
        }
    }
}
