"""Customers who leave: classes and functions, a pipeline, and a server."""
import argparse
import json
import os

import joblib
import pandas as pd
from flask import Flask, jsonify, request
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import classification_report, roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from cleaning import normalise

NUMERIC = ["tenure", "monthly_charges", "total_charges"]
CATEGORICAL = ["contract", "payment_method", "region"]
TARGET = "churn"
MODEL_PATH = os.path.join("models", "churn.joblib")


class ChurnModel:
    def __init__(self, C=1.0):
        numeric = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
        categorical = Pipeline(
            [
                ("impute", SimpleImputer(strategy="most_frequent")),
                ("encode", OneHotEncoder(handle_unknown="ignore", max_categories=20)),
            ]
        )
        preprocess = ColumnTransformer([("num", numeric, NUMERIC), ("cat", categorical, CATEGORICAL)])
        self.pipeline = Pipeline(
            [("preprocess", preprocess), ("clf", LogisticRegression(C=0.5, max_iter=500, class_weight="balanced", solver="lbfgs"))]
        )

    def fit(self, X, y):
        self.pipeline.fit(X, y)
        return self

    def evaluate(self, X, y):
        scores = self.pipeline.predict_proba(X)[:, 1]
        print(classification_report(y, scores > 0.5))
        return {"auc": roc_auc_score(y, scores)}

    def save(self, path):
        joblib.dump(self.pipeline, path)


def load_data(path):
    df = pd.read_csv(path, sep=";")
    df = normalise(df)
    return df.drop_duplicates(subset=["customer_id"])


def split(df):
    X = df[NUMERIC + CATEGORICAL]
    y = df[TARGET]
    return train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)


def population_drift(old, new):
    from scipy.stats import ks_2samp

    for column in NUMERIC:
        result = ks_2samp(old[column], new[column])
        if result.pvalue < 0.01:
            print("drift in", column)


def promote(auc):
    with open("registry.json", "w") as f:
        json.dump({"champion": MODEL_PATH, "auc": auc}, f)


app = Flask(__name__)


@app.route("/predict", methods=["POST"])
def predict():
    model = joblib.load(MODEL_PATH)
    rows = pd.DataFrame(request.get_json())
    return jsonify(model.predict_proba(rows)[:, 1].tolist())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="data/customers.csv")
    parser.add_argument("--serve", action="store_true")
    args = parser.parse_args()
    if args.serve:
        app.run(port=8080)
        return
    df = load_data(args.data)
    X_train, X_test, y_train, y_test = split(df)
    model = ChurnModel()
    model.fit(X_train, y_train)
    metrics = model.evaluate(X_test, y_test)
    model.save(MODEL_PATH)
    promote(metrics["auc"])


if __name__ == "__main__":
    main()
