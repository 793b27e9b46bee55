//! A version of ONNX among the others: signature, rows that do not fit, drift, gc, swaps of infer.

use std::fs;

use septet::{
    components::infer_onnx,
    contract::{Digest, Stage},
};
use serde_json::json;

use super::{Model, models};
use crate::{
    serve::served::Served,
    support::septet::{Ran, Workplace},
    swap::components::same,
};

fn lines(ran: Ran) -> String {
    let ran = ran.ok();
    print!("{}", ran.stdout);
    ran.stdout
}

#[test]
fn it_is_a_version_like_any_other() {
    let Some(folder) = models() else { return };
    let workplace = Workplace::new();
    let model = Model::of(folder, "pipeline-one-hot");
    let told = lines(model.import(&workplace, "trips"));
    assert!(told.contains("trips@1 is champion"), "{told}");
    assert!(told.contains("takes    4 columns"), "{told}");
    // The same file is the same version.
    let again = lines(model.import(&workplace, "trips"));
    assert!(again.contains("trips@1"), "{again}");
    let shown = workplace
        .septet(&["models", "show", "trips", "--json"])
        .json();
    assert_eq!(shown["versions"][0]["summary"]["algorithm"], "onnx");
    assert!(
        workplace
            .septet(&["models", "card", "trips"])
            .refused()
            .contains("imported")
    );
    workplace.septet(&["gc"]).ok();

    let rows = "age,fare,city,grade\n30,10,Rome,a\n,10,Nowhere,a\n5,,Oslo,\n";
    let rows = workplace.write("rows.csv", rows);
    let out = workplace.path("out.csv");
    let (rows, out) = (rows.to_str().unwrap(), out.to_str().unwrap());
    workplace
        .septet(&["predict", rows, "--model", "trips", "-o", out])
        .ok();
    let predicted = fs::read_to_string(out).unwrap();
    assert_eq!(predicted.lines().count(), 4, "{predicted}");

    let wrong = workplace.write("wrong.csv", "age,fare,grade\n1,2,a\n");
    let wrong = ["predict", wrong.to_str().unwrap(), "--model", "trips"];
    let said = workplace.septet(&wrong).refused();
    assert!(said.contains("'city' (texts) is missing"), "{said}");

    // Its own data have not drifted, and others have.
    let data = model.data.to_str().unwrap();
    let drift = |data: &str| {
        let words = ["monitor", data, "--model", "trips", "--json"];
        let report = workplace.septet(&words).json();
        println!("{report}");
        report["drifted"].as_bool().unwrap()
    };
    let same = drift(data);
    let moved = fs::read_to_string(data)
        .unwrap()
        .replace("Rome", "Lima")
        .replace("Paris", "Lima");
    let moved = drift(workplace.write("moved.csv", moved).to_str().unwrap());
    assert_eq!((same, moved), (false, true));
}

#[test]
fn whole_numbers_and_missing_data_are_told_of_rows() {
    let Some(folder) = models() else { return };
    let workplace = Workplace::new();
    let onnx = Model::of(folder, "pipeline-whole").onnx;
    let onnx = onnx.to_str().unwrap();
    let told = lines(workplace.septet(&["models", "import", onnx, "--name", "kids", "--promote"]));
    assert!(told.contains("drift can't be measured"), "{told}");
    let rows = "age,fare,kids\n30,10,2\n30,10,\n30,10,1.5\n";
    let rows = workplace.write("rows.csv", rows);
    let out = workplace.path("out.csv");
    let (rows, out) = (rows.to_str().unwrap(), out.to_str().unwrap());
    workplace
        .septet(&["predict", rows, "--model", "kids", "-o", out])
        .ok();
    let predicted = fs::read_to_string(out).unwrap();
    assert!(
        predicted.contains("column 'kids' has no value"),
        "{predicted}"
    );
    assert!(
        predicted.contains("1.5, which is no whole number"),
        "{predicted}"
    );
}

#[test]
fn it_is_asked_over_http_as_on_the_command_line() {
    let Some(folder) = models() else { return };
    let served = Served::new();
    let model = Model::of(folder, "pipeline-one-hot");
    model.import(&served.workplace, "trips").ok();
    let rows = json!({ "records": [
        { "age": 30.5, "fare": 10.0, "city": "Rome", "grade": "a" },
        { "age": null, "fare": 99.5, "city": "Nowhere", "grade": "c" },
    ] });
    let answer = served.client.post("/predict/trips", &rows).json(200);
    let over_http = answer["predictions"].as_array().unwrap();

    let file = served.workplace.write(
        "rows.csv",
        "age,fare,city,grade\n30.5,10.0,Rome,a\n,99.5,Nowhere,c\n",
    );
    let words = ["predict", file.to_str().unwrap(), "--model", "trips"];
    let printed = served.workplace.septet(&words).ok().stdout;
    let mut reader = csv::Reader::from_reader(printed.as_bytes());
    let names = reader.headers().unwrap().clone();
    let at = |name: &str| names.iter().position(|there| there == name).unwrap();
    for (record, asked) in reader.records().zip(over_http) {
        let record = record.unwrap();
        assert_eq!(asked["prediction"], record[at("prediction")]);
        let yes: f64 = record[at("probability_yes")].parse().unwrap();
        assert_eq!(asked["probability_yes"], yes, "{asked}");
    }
    let wrong = json!({ "records": [{ "age": 30.5, "fare": 10.0, "grade": "a" }] });
    let said = served.client.post("/predict/trips", &wrong).error(400);
    assert!(said.contains("'city'"), "{said}");
}

#[test]
fn it_keeps_its_own_infer_while_another_is_swapped_in() {
    let Some(folder) = models() else { return };
    let workplace = Workplace::new();
    let model = Model::of(folder, "logistic-texts");
    let data = model.data.to_str().unwrap();
    model.import(&workplace, "onnx").ok();
    workplace
        .septet(&["run", data, "--target", "target", "--name", "own"])
        .ok();
    let other = workplace.write("other.wasm", same(Stage::Infer, "other"));
    let swap = ["stages", "swap", "infer", other.to_str().unwrap()];
    workplace.septet(&swap).ok();
    let used = |model: &str| {
        let words = ["predict", data, "--model", model, "--json"];
        let told = workplace.septet(&words).json();
        let shown = ["runs", "show", told["run"].as_str().unwrap(), "--json"];
        let shown = workplace.septet(&shown).json();
        let stages = shown["stages"].as_array().unwrap().iter();
        let mut infer = stages.filter(|stage| stage["stage"] == "infer");
        infer.next().unwrap()["component"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(used("onnx"), infer_onnx().0.to_string());
    let other = Digest::of(&std::fs::read(other).unwrap());
    assert_eq!(used("own"), other.to_string());
}
