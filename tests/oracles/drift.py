"""Compares monitor's statistics with scipy's on the same values, to 1e-9.

usage: drift.py SEPTET FOLDER

A model is trained on one table and a shifted one is monitored. scipy sees the new rows, and of the
training what the bundle keeps of it: the frozen sample of each column of numbers, the counts of
each category.
"""

import random

import numpy as np
from scipy import special, stats

from stages import FOLDER, Comparison, invoke, manifest, metrics, read_json, table, trained

same = Comparison(1e-9)


def write(name, rows, seed, shift):
    """Numbers with ties, categories with rare ones, missing values."""
    draw = random.Random(seed)
    path = FOLDER / f"{name}.csv"
    with open(path, "w") as out:
        out.write("normal,ties,skewed,colour,yes,label\n")
        for _ in range(rows):
            colour = draw.choices(["red", "green", "blue", "rare"], [5, 3 + 4 * shift, 2, 0.1])[0]
            if shift and draw.random() < 0.02:
                colour = "unseen"
            normal = draw.gauss(shift * 0.4, 1)
            cells = [
                f"{normal:.6f}" if draw.random() > 0.05 + 0.1 * shift else "",
                str(int(draw.gauss(5, 2))),
                f"{draw.lognormvariate(0, 1 + shift * 0.2):.5f}",
                colour,
                draw.choice(["true", "false"]),
                "a" if normal + draw.gauss(0, 1) > 0 else "b",
            ]
            out.write(",".join(cells) + "\n")
    return path


def ingested(path):
    """The table of a CSV file."""
    return invoke("ingest", [("source", path)], FOLDER / f"{path.stem}-1") / "table.arrow"


def numbers(column):
    """The values that are there."""
    values = np.asarray(column, dtype=float)
    return values[~np.isnan(values)]


def check(reference, drift, rows):
    """Each column of a list."""
    told = {column["name"]: column for column in drift}
    for column in reference["columns"]:
        name, ours = column["name"], told[column["name"]]
        bins = column["bins"]
        if "numbers" in bins:
            sample, new = bins["numbers"]["sample"], numbers(rows[name])
            kept = np.repeat(sample["values"], sample["counts"])
            d = stats.ks_2samp(kept, new).statistic
            n, m = sample["of"], len(new)
            same.equal(f"{name}: ks", ours["statistic"], d)
            same.equal(f"{name}: ks p", ours["p_value"],
                       special.kolmogorov(np.sqrt(n * m / (n + m)) * d))
            continue
        known = bins["values"]["values"]
        new = [None if v is None else str(v).lower() if isinstance(v, (bool, np.bool_)) else str(v)
               for v in rows[name]]
        counts = [new.count(value) for value in known]
        nulls = sum(v is None for v in new)
        pairs = np.array([
            [*bins["values"]["counts"], bins["values"]["other"], column["nulls"]],
            [*counts, len(new) - sum(counts) - nulls, nulls],
        ])
        result = stats.chi2_contingency(pairs[:, pairs.sum(axis=0) > 0], correction=False)
        same.equal(f"{name}: chi-square", ours["statistic"], result.statistic)
        same.equal(f"{name}: chi-square p", ours["p_value"], result.pvalue)


one = ingested(write("before", 900, 1, 0))
new = ingested(write("after", 400, 2, 1))
two = invoke("preprocess", [("table", one)], FOLDER / "2", target="label")
bundle = ("bundle", trained(two, FOLDER / "3") / "bundle.septet")
five = invoke("infer", [bundle, ("table", new)], FOLDER / "5", format="arrow", features=True)
six = invoke("monitor", [bundle, ("table", new), ("predictions", five / "predictions.arrow"),
                         ("features", five / "features.arrow")], FOLDER / "6", labels="label")
told, drift = manifest(bundle[1]), read_json(six / "drift.json")
check(told["reference"], drift["columns"], table(new))
alone = [drift["prediction"], drift["probability"]]
check(told["prediction_reference"], alone, table(five / "predictions.arrow"))
# A feature that is an input column, scaled, is not reported a second time.
shown = {feature["name"] for feature in drift["features"]}
features = [c for c in told["feature_reference"]["columns"] if c["name"] in shown]
check({"columns": features}, drift["features"], table(five / "features.arrow"))
tested = [c for c in [*drift["columns"], *drift["features"], *alone] if c and c["p_value"] is not None]
adjusted = stats.false_discovery_control([column["p_value"] for column in tested])
for column, theirs in zip(tested, adjusted):
    same.equal(f"{column['name']}: adjusted p", column["p_adjusted"], theirs)
if metrics(six)["drifted_columns"] < 1:
    same.wrong.append("nothing drifted")
same.end()
