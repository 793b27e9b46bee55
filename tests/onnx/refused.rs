//! What is no ONNX model, or none that is read: one clear line each, and no version.

use std::fs;

use super::{Model, models};
use crate::support::septet::Workplace;

/// Files that the script wrote, and what is said of each.
const REFUSED: [(&str, &str); 22] = [
    ("svm", "ai.onnx.ml.SVMClassifier"),
    ("margins", "no probabilities"),
    ("raw-scores", "no probabilities"),
    ("chance", "ai.onnx.RandomNormalLike"),
    ("domain", "com.example.Relu"),
    ("function", "functions of its own"),
    ("nothing", "nothing makes the ONNX model's output 'Y'"),
    ("outside", "in another file"),
    ("huge", "too large"),
    ("short", "not as many values as its shape"),
    ("wide", "takes 9 columns, but the data have 4"),
    ("bomb", "can't be run"),
    ("tree-circle", "not each node is the child of one other"),
    ("tree-shared", "not each node is the child of one other"),
    ("tree-gap", "not numbered from 0"),
    ("tree-weights", "weights of what is no leaf"),
    ("tree-base", "2 base_values for 1 classes or targets"),
    ("tree-transformed", "post_transform"),
    ("tree-softmax", "read differently"),
    ("tree-second", "read differently"),
    ("tree-raw", "read differently"),
    ("norm-max", "norm MAX"),
];

#[test]
fn what_is_not_read_is_named() {
    let Some(folder) = models() else { return };
    let workplace = Workplace::new();
    let flowers = Model::of(folder, "logistic-texts").data;
    let numbers = folder.join("numbers.csv");
    let trees = folder.join("trees.csv");
    let import = |file: &str| {
        let values = ["wide", "bomb"].iter().any(|name| file.contains(name));
        let data = match values {
            true => &numbers,
            false if file.contains("tree-") => &trees,
            false => &flowers,
        };
        let data = data.to_str().unwrap();
        let words = [
            "models", "import", file, "--name", "m", "--data", data, "--target", "target",
        ];
        let said = workplace.septet(&words).refused();
        println!("{said}");
        said
    };
    for (name, why) in REFUSED {
        let file = folder.join(format!("refused-{name}.onnx"));
        let said = import(file.to_str().unwrap());
        assert!(said.contains(why), "{name}: {said}");
    }
    let whole = fs::read(folder.join("forest-classifier.onnx")).unwrap();
    let cut = workplace.write("cut.onnx", &whole[..whole.len() / 2]);
    assert!(import(cut.to_str().unwrap()).contains("is cut off"));
    let pickle = workplace.write("m.pkl", b"\x80\x04\x95garbage");
    assert!(import(pickle.to_str().unwrap()).contains("not an ONNX file"));
    let text = workplace.write("m.txt", "a text");
    assert!(import(text.to_str().unwrap()).contains("not an ONNX file"));
    assert!(import("none.onnx").contains("none.onnx can't be read"));
    // Whatever is changed in a file, it is refused in a line, or is a model.
    let data = flowers.to_str().unwrap();
    let small = fs::read(folder.join("logistic-texts.onnx")).unwrap();
    for at in (0..small.len()).step_by(61) {
        let mut bytes = small.clone();
        bytes[at] ^= 0x15;
        let file = workplace.write("changed.onnx", &bytes);
        let words = [
            "models",
            "import",
            file.to_str().unwrap(),
            "--name",
            "m",
            "--data",
            data,
            "--target",
            "target",
        ];
        let ran = workplace.septet(&words);
        if ran.code != Some(0) {
            ran.refused();
        }
    }
}

#[test]
fn data_and_words_that_do_not_fit_are_told() {
    let Some(folder) = models() else { return };
    let workplace = Workplace::new();
    let model = Model::of(folder, "logistic-texts");
    let (onnx, data) = (model.onnx.to_str().unwrap(), model.data.to_str().unwrap());
    let import = |more: &[&str]| {
        let mut words = vec!["models", "import", onnx, "--name", "m"];
        words.extend(more);
        let said = workplace.septet(&words).refused();
        println!("{said}");
        said
    };
    assert!(import(&["--data", data, "--target", "no"]).contains("no column 'no'"));
    assert!(import(&[]).contains("whose columns have no names"));
    assert!(import(&["--columns", "a,b"]).contains("takes 4 columns, but the data have 2: a, b"));
    let positive = ["--columns", "a,b,c,d", "--positive", "setosa"];
    assert!(import(&positive).contains("none of two classes"));
    let other = Model::of(folder, "logistic-numbers").data;
    let other = ["--data", other.to_str().unwrap(), "--target", "target"];
    assert!(import(&other).contains("but the ONNX model's classes are"));
    assert_eq!(
        workplace.septet(&["models", "--json"]).json()["models"],
        serde_json::json!([])
    );
}
