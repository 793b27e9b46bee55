"""Septet's stages for the oracles: one at a time on files, by the real binary.

It owns how a stage is called and how its artifacts are read. It must not compute what is compared.
"""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.ipc

SEPTET, FOLDER = Path(sys.argv[1]), Path(sys.argv[2])


def septet(*arguments):
    """Runs the binary; a failure shows what it said."""
    ran = subprocess.run([SEPTET, *map(str, arguments)], capture_output=True, text=True)
    if ran.returncode != 0:
        sys.exit(f"{arguments}: {ran.stderr}")
    return ran.stdout


def invoke(stage, inputs, out, seed=0, **parameters):
    """Runs a stage on (name, path) pairs; gives the folder of its outputs."""
    arguments = ["invoke", stage]
    for name, path in inputs:
        arguments += ["--input", f"{name}={path}"]
    for name, value in parameters.items():
        text = value if isinstance(value, str) else json.dumps(value)
        arguments += ["--param", f"{name}={text}"]
    septet(*arguments, "--seed", seed, "--out", out)
    return Path(out)


def table(path):
    """An Arrow file as a dict of numpy columns; nulls are NaN or None."""
    with pyarrow.ipc.open_file(path) as file:
        return {
            name: column.to_numpy(zero_copy_only=False)
            for name, column in zip(file.schema.names, file.read_all().columns)
        }


def read_json(path):
    """A JSON artifact."""
    return json.loads(Path(path).read_text())


def metrics(folder):
    """The metrics of a stage's outcome by name."""
    return {m["name"]: m["value"] for m in read_json(folder / "outcome.json")["metrics"]}


def manifest(bundle):
    """What a bundle tells of its model: after the magic, a little-endian length and JSON."""
    data = Path(bundle).read_bytes()
    assert data[:8] == b"SEPTETM1"
    length = int.from_bytes(data[8:12], "little")
    return json.loads(data[12 : 12 + length])


def trained(two, out, algorithm=None, seed=0, **parameters):
    """Trains on what preprocess gave; the folder has the bundle."""
    inputs = [
        (name.split(".")[0], two / name)
        for name in ("train.arrow", "preprocessing.json", "reference.json", "sample.arrow")
    ]
    if algorithm:
        parameters["algorithm"] = algorithm
    return invoke("train", inputs, out, seed, **parameters)


class Comparison:
    """Collects differences; one that is too large is told at the end, with all the others."""

    def __init__(self, tolerance):
        self.tolerance, self.count, self.worst, self.wrong = tolerance, 0, 0.0, []

    def equal(self, what, ours, theirs):
        """Relative to the size of the figure where that is above 1."""
        self.count += 1
        if ours is None or theirs is None:
            self.wrong.append(f"{what}: septet {ours}, oracle {theirs}")
            return
        ours, theirs = float(ours), float(theirs)
        if ours == theirs:  # infinities too
            return
        far = abs(ours - theirs) / max(1.0, abs(theirs))
        if not far <= self.tolerance:
            self.wrong.append(f"{what}: septet {ours!r}, oracle {theirs!r}")
        else:
            self.worst = max(self.worst, far)

    def arrays(self, what, ours, theirs):
        """Of equal length, value by value."""
        if len(ours) != len(theirs):
            self.wrong.append(f"{what}: septet has {len(ours)} values, the oracle {len(theirs)}")
            return
        for at, (left, right) in enumerate(zip(ours, theirs)):
            self.equal(f"{what}[{at}]", left, right)

    def end(self):
        """Prints what came of it as one JSON object; differences end the script."""
        if self.wrong:
            sys.exit("\n".join(self.wrong[:40]))
        print(json.dumps({"compared": self.count, "worst": self.worst}))
