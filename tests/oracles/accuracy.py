"""Trains every algorithm on the same rows as scikit-learn and compares the scores on the test rows.

usage: accuracy.py SEPTET FOLDER

The rows, their split and their features come from Septet's own stages, run one by one; pyarrow reads
the artifacts, scikit-learn trains on the raw rows of the train side and scores those of the test
side. Prints a table; the last line is a JSON list of the comparisons.
"""

import json
import statistics
import sys
import warnings

import numpy as np
from sklearn import datasets
from sklearn.ensemble import (
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_absolute_error, roc_auc_score, root_mean_squared_error
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from stages import FOLDER, invoke, metrics, table, trained

warnings.simplefilter("ignore", ConvergenceWarning)

# name: data, ML task, splits. The split depends on the key column's value alone; a key column of
# other values gives another split. Small data need many, because one row is a point or more.
DATA = {
    "iris": (datasets.load_iris(), "classification", 10),
    "wine": (datasets.load_wine(), "classification", 10),
    "breast_cancer": (datasets.load_breast_cancer(), "classification", 10),
    "digits": (datasets.load_digits(), "classification", 3),
    "diabetes": (datasets.load_diabetes(scaled=False), "regression", 10),
}
# name: hyper-parameters that are not Septet's defaults, scikit-learn's estimator, seeds.
ALGORITHMS = {
    "classification": {
        "logistic-regression": ({}, lambda seed: LogisticRegression(C=1.0, max_iter=1000), 1),
        "random-forest": ({}, lambda seed: RandomForestClassifier(100, random_state=seed), 2),
        "decision-tree": ({}, lambda seed: DecisionTreeClassifier(random_state=seed), 1),
        "knn": ({}, lambda seed: KNeighborsClassifier(), 1),
        "gaussian-nb": ({}, lambda seed: GaussianNB(), 1),
    },
    "regression": {
        "linear-regression": ({}, lambda seed: LinearRegression(), 1),
        "ridge": ({}, lambda seed: Ridge(alpha=1.0), 1),
        "lasso": ({}, lambda seed: Lasso(), 1),
        "elastic-net": ({}, lambda seed: ElasticNet(), 1),
        "random-forest": ({}, lambda seed: RandomForestRegressor(100, random_state=seed), 2),
        # A tree without a bound learns the noise of these rows by heart, and its score is noise.
        "decision-tree": (
            {"max_depth": 3},
            lambda seed: DecisionTreeRegressor(max_depth=3, random_state=seed),
            1,
        ),
        "knn": ({}, lambda seed: KNeighborsRegressor(), 1),
        "gradient-boosting": ({}, lambda seed: GradientBoostingRegressor(random_state=seed), 1),
    },
}


def write_csv(name, bunch, task, split):
    """The data set as CSV with a key that decides the split; returns path and features' names."""
    names = [f"f{at}" for at in range(bunch.data.shape[1])]
    target = bunch.target
    if task == "classification":
        target = np.asarray([f"class {label}" for label in target])
    path = FOLDER / f"{name}-{split}.csv"
    with open(path, "w") as out:
        out.write(",".join(["key", *names, "label"]) + "\n")
        for number, (row, label) in enumerate(zip(bunch.data, target)):
            out.write(f"s{split}-{number},")
            out.write(",".join(repr(float(v)) for v in row) + f",{label}\n")
    return path, names


def prepared(path):
    """Ingests and preprocesses."""
    one = invoke("ingest", [("source", path)], FOLDER / f"{path.stem}-ingest")
    two = invoke("preprocess", [("table", one / "table.arrow")], FOLDER / f"{path.stem}-preprocess",
                 target="label", key="key", test_share=0.3)
    return one, two


def scored(two, algorithm, parameters, seed, binary):
    """Septet's metrics on the test rows."""
    # scikit-learn predicts the more probable of two classes.
    more = {"threshold": 0.5} if binary else {}
    three = trained(two, f"{two}-{algorithm}-{seed}", algorithm, seed, parameters=parameters, **more)
    inputs = [("bundle", three / "bundle.septet"), ("test", two / "test.arrow")]
    return metrics(invoke("evaluate", inputs, f"{three}-evaluate", model="oracle", resamples=10))


def sides(one, two, names):
    """Raw rows of the train side and of the test side; a column that Septet dropped is dropped."""
    rows, test, train = (table(path) for path in
                         (one / "table.arrow", two / "test.arrow", two / "train.arrow"))
    is_test = np.isin(rows["septet:row"], test["septet:row"])
    kept = [name for name in names if name in train]
    x = np.column_stack([rows[name].astype(float) for name in kept])
    scaler = StandardScaler().fit(x[~is_test])
    # The features that Septet trains on are scikit-learn's own, to the last bits.
    ours = np.column_stack([train[name] for name in kept])
    worst = float(np.max(np.abs(ours - scaler.transform(x[~is_test]))))
    if worst > 1e-9:
        sys.exit(f"{two}: the scaled features differ from StandardScaler's by {worst}")
    y = rows["label"]
    return x[~is_test], y[~is_test], x[is_test], y[is_test]


def oracle(rows, task, make, seed):
    """scikit-learn's scores."""
    x, y, x_test, truth = rows
    model = make_pipeline(StandardScaler(), make(seed)).fit(x, y)
    if task == "regression":
        predicted = model.predict(x_test)
        return {
            "r2": model.score(x_test, truth),
            "rmse": root_mean_squared_error(truth, predicted),
            "mae": mean_absolute_error(truth, predicted),
        }
    chances = model.predict_proba(x_test)
    # Bayes of pixels that hardly vary is so sure of itself that scikit-learn's rows sum to 1 only
    # nearly, which its own metric then refuses.
    chances /= chances.sum(axis=1, keepdims=True)
    binary = chances.shape[1] == 2
    return {
        "accuracy": model.score(x_test, truth),
        "roc_auc": roc_auc_score(truth, chances[:, 1] if binary else chances, multi_class="ovr"),
        "log_loss": log_loss(truth, chances, labels=model.classes_),
    }


def main():
    """Compares everything and prints what came of it."""
    results = []
    print(f"{'data':14} {'algorithm':20} {'metric':9} {'septet':>8} {'sklearn':>8} {'points':>7}")
    for name, (bunch, task, splits) in DATA.items():
        binary = task == "classification" and len(bunch.target_names) == 2
        prepared_splits = []
        for split in range(splits):
            path, names = write_csv(name, bunch, task, split)
            one, two = prepared(path)
            prepared_splits.append((two, sides(one, two, names)))
        for algorithm, (parameters, make, seeds) in ALGORITHMS[task].items():
            ours, theirs = [], []
            for two, rows in prepared_splits:
                for seed in range(seeds):
                    ours.append(scored(two, algorithm, parameters, seed, binary))
                    theirs.append(oracle(rows, task, make, seed))
            for metric in theirs[0]:
                mine = statistics.mean(scores[metric] for scores in ours)
                reference = statistics.mean(scores[metric] for scores in theirs)
                points = 100 * (mine - reference)
                print(f"{name:14} {algorithm:20} {metric:9} {mine:8.4f} {reference:8.4f} {points:7.2f}")
                results.append({"data": name, "algorithm": algorithm, "metric": metric,
                                "septet": mine, "sklearn": reference})
    print(json.dumps(results))


main()
