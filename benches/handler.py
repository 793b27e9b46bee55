"""A Python handler that does what septet's does: predicts records, behind the Functions host's protocol.

    handler.py train DATA FOLDER        fits a model on the data and keeps it
    handler.py serve FOLDER PORT        answers GET / and POST /predict, as FastAPI and uvicorn do
    handler.py once FOLDER RECORDS      imports, loads, predicts once, and ends
"""

import json
import sys

TARGET = "sex"


def train(data, folder):
    import joblib
    import pandas
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = pandas.read_csv(data)
    table = table[table[TARGET].notna()]
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    words = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (words, make_column_selector(dtype_exclude="number")),
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=1000))
    model.fit(table.drop(columns=TARGET), table[TARGET])
    joblib.dump(model, f"{folder}/model.joblib")


def load(folder):
    import joblib

    return joblib.load(f"{folder}/model.joblib")


def predict(model, records):
    import pandas

    table = pandas.DataFrame(records)
    # The label is the likeliest: to ask for it by `predict` would do the work twice.
    chances = model.predict_proba(table)
    labels = model.classes_[chances.argmax(axis=1)]
    return [
        {"prediction": label, "probabilities": dict(zip(model.classes_, row))}
        for label, row in zip(labels, chances.tolist())
    ]


def serve(folder, port):
    import pandas  # noqa: F401: the first request is not to wait for it
    import uvicorn
    from fastapi import FastAPI, Request

    app = FastAPI()
    model = load(folder)

    @app.get("/")
    def alive():
        return {}

    @app.post("/predict")
    async def invoked(request: Request):
        invocation = await request.json()
        records = json.loads(invocation["Data"]["req"]["Body"])["records"]
        body = json.dumps({"predictions": predict(model, records)})
        answer = {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": body}
        return {"Outputs": {"res": answer}, "Logs": [], "ReturnValue": None}

    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error")


def main(command, *arguments):
    if command == "train":
        train(*arguments)
    elif command == "serve":
        serve(*arguments)
    else:
        folder, records = arguments
        print(json.dumps(predict(load(folder), json.loads(records)["records"])))


main(*sys.argv[1:])
