"""Compares fitted preprocessing with scikit-learn's on the same train rows, to 1e-9.

usage: preprocessing.py SEPTET FOLDER

A table with every kind of column and missing values goes through ingest and preprocess with
several settings; scikit-learn's transformers are fitted on the raw rows of the train side.
"""

import csv
import datetime
import random

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from stages import FOLDER, Comparison, invoke, read_json, table

ROWS = 700
SCALERS = {"standard": StandardScaler, "min-max": MinMaxScaler, "robust": RobustScaler}
IMPUTERS = {
    "mean": {"strategy": "mean"},
    "median": {"strategy": "median"},
    "most-frequent": {"strategy": "most_frequent"},
    "constant": {"strategy": "constant", "fill_value": -7.5},
}
NUMBERS = ["small", "far", "count", "skewed"]
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

same = Comparison(1e-9)


def write():
    """The table; the target has nothing to do with it.

    `far` is far from zero: not farther, because scikit-learn's own scalers then lose digits.
    """
    draw = random.Random(7)
    path = FOLDER / "mixed.csv"
    with open(path, "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["key", *NUMBERS, "colour", "many", "when", "yes", "label"])
        start = datetime.datetime(2023, 11, 5, 3, 20)
        for row in range(ROWS):
            missing = lambda value, share: "" if draw.random() < share else value
            when = start + datetime.timedelta(hours=31 * row, minutes=draw.randrange(60))
            writer.writerow([
                f"k{row}",
                missing(round(draw.gauss(0, 1), 6), 0.1),
                missing(repr(1e4 + draw.random()), 0.05),
                missing(draw.randrange(12), 0.2),
                missing(round(draw.lognormvariate(0, 2), 5), 0.02),
                missing(draw.choice("red green blue".split()), 0.1),
                f"c{min(int(draw.expovariate(0.12)), 60):02}",
                when.isoformat(sep=" "),
                draw.choice(["true", "false"]),
                draw.choice(["a", "b", "c"]),
            ])
    return path


def prepared(one, name, **parameters):
    """Preprocess with these settings: its train table, and the raw rows of the train side."""
    two = invoke("preprocess", [("table", one / "table.arrow")], FOLDER / name, target="label",
                 key="key", **parameters)
    raw, test = table(one / "table.arrow"), table(two / "test.arrow")
    train = ~np.isin(raw["septet:row"], test["septet:row"])
    return two, table(two / "train.arrow"), {n: column[train] for n, column in raw.items()}


def number(raw, name):
    """A column of numbers as scikit-learn takes it."""
    return raw[name].astype(float).reshape(-1, 1)


def check_numbers(one):
    """Every imputation with every scaling."""
    for impute, options in IMPUTERS.items():
        for scale, scaler in [*SCALERS.items(), ("none", None)]:
            numbers = {"impute": impute, "scale": scale, "indicator": True}
            if impute == "constant":
                numbers["fill_value"] = options["fill_value"]
            name = f"numbers-{impute}-{scale}"
            _, ours, raw = prepared(one, name, numbers=numbers)
            for column in NUMBERS:
                theirs = SimpleImputer(**options, add_indicator=True).fit_transform(number(raw, column))
                values = theirs[:, :1]
                if scaler:
                    values = scaler().fit_transform(values)
                same.arrays(f"{name}: {column}", ours[column], values[:, 0])
                same.arrays(f"{name}: missing {column}", ours[f"missingindicator_{column}"],
                            theirs[:, 1])


def filled(raw, name):
    """A column of texts, its missing values filled with the most frequent one."""
    texts = np.array([v if isinstance(v, str) else None for v in raw[name]], dtype=object)
    return SimpleImputer(strategy="most_frequent", missing_values=None).fit_transform(
        texts.reshape(-1, 1))


def check_categories(one):
    """One-hot with and without a cap, and ordinal."""
    for cap in (50, 8):
        two, ours, raw = prepared(one, f"one-hot-{cap}", categories={"max_categories": cap})
        for column in ("colour", "many"):
            encoder = OneHotEncoder(sparse_output=False, handle_unknown="ignore",
                                    max_categories=cap)
            theirs = encoder.fit_transform(filled(raw, column))
            names = [n for n in ours if n.startswith(f"{column}_")]
            features = encoder.get_feature_names_out([column])
            if len(names) != len(features):
                same.wrong.append(f"cap {cap}: {column}: {names} are not {list(features)}")
                continue
            for at, name in enumerate(features):
                mine = name.replace("_infrequent_sklearn", "_septet:other")
                same.arrays(f"cap {cap}: {name}", ours.get(mine, []), theirs[:, at])
    _, ours, raw = prepared(one, "ordinal", categories={"encode": "ordinal"},
                            numbers={"scale": "none"})
    for column in ("colour", "many"):
        theirs = OrdinalEncoder().fit_transform(filled(raw, column))
        same.arrays(f"ordinal: {column}", ours[column], theirs[:, 0])


def check_times(one):
    """Year, month, weekday and hour, scaled."""
    _, ours, raw = prepared(one, "times")
    whens = raw["when"].astype("datetime64[us]").astype(datetime.datetime)
    parts = {
        "year": [w.year for w in whens],
        "month": [w.month for w in whens],
        "weekday": [w.weekday() for w in whens],
        "hour": [w.hour for w in whens],
    }
    for name, values in parts.items():
        scaled = StandardScaler().fit_transform(np.array(values, float).reshape(-1, 1))
        same.arrays(f"when_{name}", ours[f"when_{name}"], scaled[:, 0])


def check_weights(one):
    """Balanced classes weigh as compute_class_weight has it, one on average."""
    from sklearn.utils.class_weight import compute_sample_weight

    _, ours, raw = prepared(one, "weights", class_weight="balanced")
    theirs = compute_sample_weight("balanced", raw["label"])
    same.arrays("septet:weight", ours["septet:weight"], theirs / theirs.mean())


one = invoke("ingest", [("source", write())], FOLDER / "ingested")
kinds = {c["name"]: c["kind"] for c in read_json(one / "schema.json")["columns"]}
expected = {"small": "float", "far": "float", "count": "integer", "skewed": "float",
            "colour": "category", "many": "category", "when": "timestamp", "yes": "boolean",
            "label": "category", "key": "text"}
if kinds != expected:
    same.wrong.append(f"kinds are {kinds}")
check_numbers(one)
check_categories(one)
check_times(one)
check_weights(one)
same.end()
