"""Compares every metric of evaluate with scikit-learn's on the same predictions, to 1e-9.

usage: metrics.py SEPTET FOLDER

Models for two classes, several classes and a number are trained; infer predicts the test rows, and
scikit-learn computes the metrics of just these predictions.
"""

import numpy as np
from sklearn import datasets, metrics as sk
from sklearn.calibration import calibration_curve
from sklearn.preprocessing import label_binarize

from stages import FOLDER, Comparison, invoke, metrics, read_json, table, trained

same = Comparison(1e-9)


def write(name, bunch, classes):
    """A data set as CSV."""
    target = np.asarray([f"c{v}" for v in bunch.target]) if classes else bunch.target
    path = FOLDER / f"{name}.csv"
    with open(path, "w") as out:
        out.write(",".join([*(f"f{i}" for i in range(bunch.data.shape[1])), "label"]) + "\n")
        for row, label in zip(bunch.data, target):
            out.write(",".join(repr(float(v)) for v in row) + f",{label}\n")
    return path


def predicted(name, path, algorithm, **parameters):
    """Trains, evaluates and predicts the test rows."""
    one = invoke("ingest", [("source", path)], FOLDER / f"{name}-1")
    two = invoke("preprocess", [("table", one / "table.arrow")], FOLDER / f"{name}-2",
                 target="label", test_share=0.4)
    three = trained(two, FOLDER / f"{name}-3", algorithm, **parameters)
    bundle = ("bundle", three / "bundle.septet")
    four = invoke("evaluate", [bundle, ("test", two / "test.arrow")], FOLDER / f"{name}-4",
                  model="oracle", resamples=200)
    five = invoke("infer", [bundle, ("table", two / "test.arrow")], FOLDER / f"{name}-5",
                  format="arrow")
    return (read_json(two / "preprocessing.json"), table(two / "test.arrow"),
            table(five / "predictions.arrow"), metrics(four), read_json(four / "evaluation.json"))


def check_regression(name, path):
    """Numbers."""
    _, test, answers, ours, _ = predicted(name, path, "ridge")
    truth, guess = test["label"].astype(float), answers["prediction"]
    for metric, theirs in {
        "r2": sk.r2_score(truth, guess),
        "mae": sk.mean_absolute_error(truth, guess),
        "rmse": sk.root_mean_squared_error(truth, guess),
        "mape": sk.mean_absolute_percentage_error(truth, guess),
    }.items():
        same.equal(f"{name}: {metric}", ours.get(metric), theirs)


def check_classification(name, path, algorithm, **parameters):
    """Two classes or more."""
    plan, test, answers, ours, evaluation = predicted(name, path, algorithm, **parameters)
    classes = plan["classes"]
    truth, guess = test["label"].astype(str), answers["prediction"].astype(str)
    chances = np.column_stack([answers[f"probability_{c}"] for c in classes])
    binary = label_binarize(truth, classes=classes)
    expected = {
        "accuracy": sk.accuracy_score(truth, guess),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, guess),
        "mcc": sk.matthews_corrcoef(truth, guess),
        "log_loss": sk.log_loss(truth, chances, labels=classes),
    }
    for average in ("macro", "weighted"):
        p, r, f, _ = sk.precision_recall_fscore_support(
            truth, guess, labels=classes, average=average, zero_division=0)
        expected |= {f"precision_{average}": p, f"recall_{average}": r, f"f1_{average}": f}
    if len(classes) == 2:
        positive = plan["positive"]
        at = classes.index(positive)
        yes = truth == positive
        p, r, f, _ = sk.precision_recall_fscore_support(
            truth, guess, average="binary", pos_label=positive, zero_division=0)
        expected |= {
            "precision": p, "recall": r, "f1": f,
            "roc_auc": sk.roc_auc_score(yes, chances[:, at]),
            "pr_auc": sk.average_precision_score(yes, chances[:, at]),
            "brier": sk.brier_score_loss(yes, chances[:, at]),
        }
    else:
        expected |= {
            "roc_auc": sk.roc_auc_score(truth, chances, multi_class="ovr", labels=classes),
            "pr_auc": sk.average_precision_score(binary, chances, average="macro"),
            "brier": sk.brier_score_loss(truth, chances, labels=classes),
        }
    for metric, theirs in expected.items():
        same.equal(f"{name}: {metric}", ours.get(metric), theirs)
    check_details(name, evaluation, classes, plan, truth, guess, chances)


def check_details(name, evaluation, classes, plan, truth, guess, chances):
    """Figures per class, the confusion matrix, curves."""
    details = evaluation["details"]
    matrix = sk.confusion_matrix(truth, guess, labels=classes)
    if details["confusion"]["labels"] != classes:
        same.wrong.append(f"{name}: the confusion matrix is of {details['confusion']['labels']}")
    ours = np.asarray(details["confusion"]["counts"])
    same.arrays(f"{name}: confusion", ours.ravel(), matrix.ravel())
    p, r, f, s = sk.precision_recall_fscore_support(truth, guess, labels=classes, zero_division=0)
    for at, told in enumerate(details["classes"]):
        for metric, theirs in {"precision": p, "recall": r, "f1": f, "rows": s}.items():
            same.equal(f"{name}: {classes[at]} {metric}", told[metric], theirs[at])
    positives = [plan["positive"]] if len(classes) == 2 else classes
    if [curve["class"] for curve in details["curves"]] != positives:
        same.wrong.append(f"{name}: curves are not of {positives}")
        return
    for curve in details["curves"]:
        chance, yes = chances[:, classes.index(curve["class"])], truth == curve["class"]
        what = f"{name}: {curve['class']}"
        true, mean = calibration_curve(yes, chance, n_bins=10)
        bins = curve["calibration"]
        same.arrays(f"{what} calibration observed", [b["observed"] for b in bins], true)
        same.arrays(f"{what} calibration predicted", [b["predicted"] for b in bins], mean)
        false_rate, true_rate, _ = sk.roc_curve(yes, chance, drop_intermediate=False)
        on_curve(f"{what} roc", curve["roc"], false_rate, true_rate)
        precision, recall, _ = sk.precision_recall_curve(yes, chance)
        on_curve(f"{what} precision-recall", curve["precision_recall"], recall, precision)


def on_curve(what, points, x, y):
    """Every point of a thinned curve is one of the whole curve."""
    whole = {(round(a, 9), round(b, 9)) for a, b in zip(x, y)}
    for point in points:
        same.count += 1
        if (round(point["x"], 9), round(point["y"], 9)) not in whole:
            same.wrong.append(f"{what}: {point} is not on the curve")


check_regression("diabetes", write("diabetes", datasets.load_diabetes(scaled=False), False))
cancer = write("breast_cancer", datasets.load_breast_cancer(), True)
check_classification("breast_cancer", cancer, "logistic-regression")
# Trees of few rows give many equal probabilities.
check_classification("ties", cancer, "decision-tree", parameters={"max_depth": 3})
check_classification("wine", write("wine", datasets.load_wine(), True), "gaussian-nb")
check_classification("iris", write("iris", datasets.load_iris(), True), "random-forest")
same.end()
