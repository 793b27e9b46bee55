"""Everything in one script, as it usually begins: data in, a model out, predictions, a look at drift.

    python monolith.py data/train.csv data/test.csv data/new.csv out

writes out/model.onnx, out/evaluation.json, out/predictions.csv and out/drift.json. It predicts how far diabetes
has progressed a year after ten measurements were taken.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TARGET = "progression"
COLUMNS = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
#: Beyond it a row is a slip of the pen.
RANGES = {"age": (0, 120), "bmi": (10, 80), "bp": (30, 250)}
#: A candidate must be better than the mean by so much.
LEAST_R2 = 0.2
#: A column has drifted from here on, as banks say.
DRIFTED = 0.2


# 1. ingest


def read(path):
    """The rows of a file, those that can't be right set apart."""
    frame = pd.read_csv(path)
    missing = [column for column in COLUMNS if column not in frame]
    if missing:
        raise ValueError(f"{path} lacks the columns {', '.join(missing)}")
    numbers = frame.apply(pd.to_numeric, errors="coerce")
    good = numbers.notna().all(axis=1)
    for column, (low, high) in RANGES.items():
        good &= numbers[column].between(low, high)
    return numbers[good], int((~good).sum())


# 2. preprocess


def prepare(frame):
    """The scaler of the train rows. What it was fitted on goes with the model."""
    return StandardScaler().fit(frame[COLUMNS].to_numpy())


# 3. train


def fit(X, y, alpha=1.0):
    """A linear model whose weights are kept small."""
    return Ridge(alpha=alpha).fit(X, y)


def save(model, columns):
    """The model as ONNX, which whoever serves it can read without this script."""
    # Without a name it would have a new one each time, and other bytes.
    types = [("X", FloatTensorType([None, columns]))]
    return convert_sklearn(model, "monolith", types).SerializeToString()


# 4. evaluate


def evaluate(truth, predicted):
    """How good it is on rows that it has not seen, and whether that is enough."""
    metrics = {
        "r2": r2_score(truth, predicted),
        "rmse": root_mean_squared_error(truth, predicted),
        "mae": mean_absolute_error(truth, predicted),
    }
    good = metrics["r2"] >= LEAST_R2
    words = "is" if good else "is not"
    reason = f"r2 {metrics['r2']:.4f} {words} at least {LEAST_R2}"
    return {"metrics": metrics, "gate": {"verdict": "pass" if good else "fail", "reasons": [reason]}}


# 5. deploy


def deploy(onnx, evaluation, folder):
    """Puts the model where infer looks, if it is good enough."""
    (folder / "evaluation.json").write_text(json.dumps(evaluation, indent=1))
    if evaluation["gate"]["verdict"] != "pass":
        return False
    (folder / "model.onnx").write_bytes(onnx)
    return True


# 6. infer


def predict(onnx, X):
    """A number a row."""
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    (values,) = session.run(None, {given.name: np.asarray(X, np.float32)})
    return values.reshape(-1).astype(float)


# 7. monitor


def stability(before, now, bins=10):
    """Population stability index of a column: how much of it lies elsewhere than it did."""
    cuts = np.unique(np.quantile(before, np.linspace(0, 1, bins + 1)[1:-1]))
    shares = [np.bincount(np.searchsorted(cuts, x), minlength=len(cuts) + 1) / len(x) for x in (before, now)]
    before, now = (np.maximum(share, 1e-4) for share in shares)
    return float(np.sum((now - before) * np.log(now / before)))


def drift(train, rows, predictions):
    """Each column's index, and whether it has drifted."""
    columns = []
    for column in COLUMNS:
        psi = stability(train[column].to_numpy(), rows[column].to_numpy())
        columns.append({"name": column, "psi": psi, "threshold": DRIFTED, "drifted": psi >= DRIFTED})
    return {
        "rows": len(rows),
        "columns": columns,
        "drifted": any(told["drifted"] for told in columns),
        "predictions": {"mean": float(np.mean(predictions)), "std": float(np.std(predictions))},
    }


def main():
    train_file, test_file, new_file, out = sys.argv[1:]
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)

    train, bad = read(train_file)
    test, bad_test = read(test_file)
    print(f"{len(train)} rows to learn from, {len(test)} to test on, {bad + bad_test} set apart")

    scaler = prepare(train)
    model = fit(scaler.transform(train[COLUMNS].to_numpy()), train[TARGET])
    onnx = save(make_pipeline(scaler, model), len(COLUMNS))

    evaluation = evaluate(test[TARGET], predict(onnx, test[COLUMNS]))
    for name, value in evaluation["metrics"].items():
        print(f"{name} {value:.4f}")
    if not deploy(onnx, evaluation, folder):
        sys.exit(f"not deployed: {evaluation['gate']['reasons'][0]}")

    new, bad = read(new_file)
    predictions = predict((folder / "model.onnx").read_bytes(), new[COLUMNS])
    # A line a row, as it came.
    pd.DataFrame({"row": new.index + 2, "prediction": predictions}).to_csv(
        folder / "predictions.csv", index=False
    )

    report = drift(train, new, predictions)
    (folder / "drift.json").write_text(json.dumps(report, indent=1))
    moved = [told["name"] for told in report["columns"] if told["drifted"]]
    print(f"drifted: {', '.join(moved) or 'nothing'}")


if __name__ == "__main__":
    main()
