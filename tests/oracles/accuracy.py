"""Trains every algorithm on the same rows as scikit-learn and compares the scores on the test rows.

usage: accuracy.py SEPTET FOLDER

The rows, their split and their features come from Septet's own stages, run one by one; pyarrow reads
the artifacts, scikit-learn trains on the raw rows of the train side and scores those of the test
side. Prints a table; the last line is a JSON list of the comparisons.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.ipc
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_absolute_error, roc_auc_score, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SEPTET, FOLDER = Path(sys.argv[1]), Path(sys.argv[2])
# The split depends on the row alone; a key column of other values gives another split.
SPLITS = range(10)
FOREST_SEEDS = [0, 1]

DATA = {
    "iris": (datasets.load_iris(), "classification"),
    "breast_cancer": (datasets.load_breast_cancer(), "classification"),
    "diabetes": (datasets.load_diabetes(scaled=False), "regression"),
}
ALGORITHMS = {
    "classification": {
        "logistic-regression": lambda seed: LogisticRegression(C=1.0, max_iter=1000),
        "random-forest": lambda seed: RandomForestClassifier(100, random_state=seed, n_jobs=1),
    },
    "regression": {
        "linear-regression": lambda seed: LinearRegression(),
        "ridge": lambda seed: Ridge(alpha=1.0),
        "random-forest": lambda seed: RandomForestRegressor(100, random_state=seed, n_jobs=1),
    },
}


def septet(*arguments):
    """Runs the binary; a failure shows what it said."""
    ran = subprocess.run([SEPTET, *arguments], capture_output=True, text=True)
    if ran.returncode != 0:
        sys.exit(f"{arguments}: {ran.stderr}")


def table(path):
    """An Arrow file as a dict of numpy columns."""
    with pyarrow.ipc.open_file(path) as file:
        return {name: column.to_numpy() for name, column in zip(file.schema.names, file.read_all())}


def write_csv(name, bunch, task, split):
    """The data set as CSV with a key that decides the split; returns path and features' names."""
    names = [str(n).replace(" ", "_").replace("(", "").replace(")", "") for n in bunch.feature_names]
    target = bunch.target
    if task == "classification":
        target = np.asarray(bunch.target_names)[target]
    path = FOLDER / f"{name}-{split}.csv"
    with open(path, "w") as out:
        out.write(",".join(["key", *names, "label"]) + "\n")
        for number, (row, label) in enumerate(zip(bunch.data, target)):
            out.write(f"s{split}-{number},")
            out.write(",".join(repr(float(v)) for v in row) + f",{label}\n")
    return path, names


def prepared(path):
    """Ingests and preprocesses."""
    one, two = FOLDER / f"{path.stem}-ingest", FOLDER / f"{path.stem}-preprocess"
    septet("invoke", "ingest", "--input", f"source={path}", "--out", one)
    septet("invoke", "preprocess", "--input", f"table={one}/table.arrow", "--param",
           "target=label", "--param", "key=key", "--param", "test_share=0.3", "--out", two)
    return one, two


def scored(two, algorithm, seed):
    """Septet's metrics on the test rows."""
    three = Path(f"{two}-{algorithm}-{seed}")
    four = Path(f"{three}-evaluate")
    inputs = []
    for name in ("train.arrow", "preprocessing.json", "reference.json", "sample.arrow"):
        inputs += ["--input", f"{name.split('.')[0]}={two}/{name}"]
    septet("invoke", "train", *inputs, "--param", f"algorithm={algorithm}", "--seed", str(seed),
           "--out", three)
    septet("invoke", "evaluate", "--input", f"bundle={three}/bundle.septet", "--input",
           f"test={two}/test.arrow", "--param", "model=oracle", "--out", four)
    outcome = json.loads((four / "outcome.json").read_text())
    return {metric["name"]: metric["value"] for metric in outcome["metrics"]}


def oracle(one, two, names, task, make, seed):
    """scikit-learn's scores: trained on the rows that are not in the test side."""
    rows, test = table(one / "table.arrow"), table(two / "test.arrow")
    is_test = np.isin(rows["septet:row"], test["septet:row"])
    x = np.column_stack([rows[name].astype(float) for name in names])
    y = rows["label"]
    model = make_pipeline(StandardScaler(), make(seed)).fit(x[~is_test], y[~is_test])
    # The features that Septet trains on are scikit-learn's own, to the last bits.
    ours = table(two / "train.arrow")
    theirs = model[0].transform(x[~is_test])
    features = np.column_stack([ours[name] for name in names])
    worst = float(np.max(np.abs(features - theirs)))
    if worst > 1e-9:
        sys.exit(f"{two}: the scaled features differ from StandardScaler's by {worst}")
    predicted = model.predict(x[is_test])
    truth = y[is_test]
    if task == "regression":
        return {
            "r2": model.score(x[is_test], truth),
            "rmse": root_mean_squared_error(truth, predicted),
            "mae": mean_absolute_error(truth, predicted),
        }
    chances = model.predict_proba(x[is_test])
    binary = chances.shape[1] == 2
    return {
        "accuracy": model.score(x[is_test], truth),
        "roc_auc": roc_auc_score(truth, chances[:, 1] if binary else chances, multi_class="ovr"),
        "log_loss": log_loss(truth, chances, labels=model.classes_),
    }


def main():
    """Compares everything and prints what came of it."""
    results = []
    print(f"{'data':14} {'algorithm':20} {'metric':9} {'septet':>8} {'sklearn':>8} {'points':>7}")
    for name, (bunch, task) in DATA.items():
        splits = []
        for split in SPLITS:
            path, names = write_csv(name, bunch, task, split)
            splits.append(prepared(path))
        for algorithm, make in ALGORITHMS[task].items():
            seeds = FOREST_SEEDS if algorithm == "random-forest" else [0]
            ours, theirs = [], []
            for one, two in splits:
                for seed in seeds:
                    ours.append(scored(two, algorithm, seed))
                    theirs.append(oracle(one, two, names, task, make, seed))
            for metric in theirs[0]:
                mine = statistics.mean(scores[metric] for scores in ours)
                reference = statistics.mean(scores[metric] for scores in theirs)
                points = 100 * (mine - reference)
                print(f"{name:14} {algorithm:20} {metric:9} {mine:8.4f} {reference:8.4f} {points:7.2f}")
                results.append({"data": name, "algorithm": algorithm, "metric": metric,
                                "septet": mine, "sklearn": reference})
    print(json.dumps(results))


main()
