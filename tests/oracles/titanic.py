"""Writes OpenML's Titanic (data set 40945), which scikit-learn's tests carry, as CSV.

usage: titanic.py FILE.csv
"""

import csv
import gzip
import sys
from pathlib import Path

import sklearn

folder = Path(sklearn.__file__).parent / "datasets/tests/data/openml/id_40945"
(arff,) = folder.glob("*.arff.gz")
with gzip.open(arff, "rt") as file:
    lines = [line.strip() for line in file]
at = next(i for i, line in enumerate(lines) if line.lower() == "@data")
names = [line.split()[1].strip("'\"") for line in lines[:at] if line.lower().startswith("@attribute")]
rows = csv.reader((line for line in lines[at + 1 :] if line), escapechar="\\",
                  skipinitialspace=True)
with open(sys.argv[1], "w", newline="") as out:
    writer = csv.writer(out)
    writer.writerow(names)
    for row in rows:
        if len(row) != len(names):
            sys.exit(f"{len(row)} values for {len(names)} columns: {row}")
        writer.writerow(["" if value == "?" else value for value in row])
