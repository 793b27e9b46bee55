"""The monolith's seven jobs as stages: each function is a job of monolith.py, with what it is given and gives.

A stage's component may stand in its neighbours' places: then the rows come as its tables, and the bundle says how
rows become features.
"""

import monolith
import pandas as pd
import septet
from sklearn.pipeline import make_pipeline


@septet.stage
def ingest(call):
    frame, bad = monolith.read(call.path("source"))
    columns = frame.shape[1]
    # The line of the file, as the component counts it: a shadow's rows are compared by it.
    frame.insert(columns, "septet:row", frame.index + 2)
    call.write("table", frame.reset_index(drop=True))
    call.metrics({"rows": len(frame), "columns": columns, "quarantined": bad})


@septet.stage
def preprocess(call):
    # The scaler is part of the model here: what it is fitted on passes through.
    call.write("train", call.frame("table"))
    call.write("test", call.frame("test-table"))


@septet.stage
def train(call):
    frame = call.frame("train")
    if call.has("preprocessing"):
        # The component has scaled them.
        features = [column for column in frame if not column.startswith("septet:")]
        model = monolith.fit(frame[features].to_numpy(), frame["septet:target"])
        columns = len(features)
    else:
        scaler = monolith.prepare(frame)
        X = frame[monolith.COLUMNS].to_numpy()
        model = make_pipeline(scaler, monolith.fit(scaler.transform(X), frame[monolith.TARGET]))
        columns = len(monolith.COLUMNS)
    call.write("bundle", monolith.save(model, columns), "application/onnx")


def scored(call, frame):
    """The model's predictions, of rows as they are or scaled as the bundle says."""
    manifest = call.manifest("bundle")
    if manifest is None:
        return monolith.predict(call.onnx("bundle"), frame[monolith.COLUMNS])
    features = {}
    for fitted in manifest["preprocessing"]["columns"]:
        number = fitted["encoding"]["number"]
        values = frame[fitted["column"]].fillna(number["fill"])
        features[fitted["column"]] = (values - number["center"]) / number["scale"]
    return monolith.predict(call.onnx("bundle"), pd.DataFrame(features))


@septet.stage
def evaluate(call):
    test = call.frame("test")
    evaluation = monolith.evaluate(test[monolith.TARGET], scored(call, test))
    call.write("evaluation", evaluation)
    call.metrics(evaluation["metrics"])


@septet.stage
def deploy(call):
    call.propose()


@septet.stage
def infer(call):
    frame = call.frame("table")
    predictions = pd.DataFrame({"prediction": scored(call, frame)})
    if "septet:row" in frame:
        predictions.insert(0, "row", frame["septet:row"])
    if call.parameter("format", "csv") == "arrow":
        call.write("predictions", predictions)
    else:
        call.write("predictions", predictions.to_csv(index=False), "text/csv")
    call.metric("rows", len(predictions))


@septet.stage
def monitor(call):
    rows, predictions = call.frame("table"), call.frame("predictions")
    report = monolith.drift(monolith.read("data/train.csv")[0], rows, predictions["prediction"])
    call.write("drift", report)
    call.metric("drifted_columns", sum(told["drifted"] for told in report["columns"]))


if __name__ == "__main__":
    septet.main()
