"""One call of a stage: what it is given, and what it writes and says."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from . import bundle, tables
from .errors import Rejected, plain
from .invocation import Alias, Input, Invocation, Version

if TYPE_CHECKING:
    import pandas
    import pyarrow

#: Outputs of a call at most.
MAX_OUTPUTS = 64

#: Bytes of a name at most.
MAX_NAME = 255

_ALNUM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


class Call:
    """What a stage's function is given.

    Inputs are asked for by name; where several have the same name, ``frames``, ``tables`` and ``paths`` give them
    in their order, and ``frame`` and ``table`` their rows one after the other.
    """

    def __init__(self, invocation: Invocation, folder: Path, fetch: Callable[[Input], Path]) -> None:
        self.invocation = invocation
        #: The working folder.
        self.folder = folder
        self._fetch = fetch
        self._fetched: dict[int, Path] = {}
        self._outputs: dict[str, dict[str, Any]] = {}
        self._metrics: dict[str, float] = {}
        self._notes: list[str] = []
        self._messages: list[dict[str, str]] = []
        self._proposals: list[dict[str, Any]] = []

    # What the call is.

    @property
    def stage(self) -> str:
        """The stage's name."""
        return self.invocation.stage

    @property
    def run(self) -> str:
        """The run's identifier: for messages to people; a result must not depend on it."""
        return self.invocation.run

    @property
    def unit(self) -> int:
        """Which of the stage's calls in the run it is."""
        return self.invocation.unit

    @property
    def attempt(self) -> int:
        """How many times the same was asked, this time included."""
        return self.invocation.attempt

    @property
    def seed(self) -> int:
        """For all randomness: the same seed gives the same result."""
        return self.invocation.seed

    @property
    def random_state(self) -> int:
        """The seed as numpy and scikit-learn take it: below 2**32."""
        return self.invocation.seed % 2**32

    @property
    def parameters(self) -> dict[str, Any]:
        """The stage's parameters."""
        return self.invocation.parameters

    def parameter(self, name: str, default: Any = None) -> Any:
        """A parameter, or what it is where it was not set."""
        return self.invocation.parameters.get(name, default)

    # What the call is given.

    @property
    def inputs(self) -> list[Input]:
        """All inputs, in their order."""
        return self.invocation.inputs

    def has(self, name: str) -> bool:
        """Whether there is an input of this name."""
        return any(given.name == name for given in self.inputs)

    def input(self, name: str) -> Input:
        """The one input of this name."""
        found = [given for given in self.inputs if given.name == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise Rejected(f"{self.stage} was given {len(found)} inputs '{name}': ask for paths, tables or frames")
        raise Rejected(self._lacking(name))

    def path(self, name: str) -> Path:
        """The file of the one input of this name."""
        return self._path(self.input(name))

    def paths(self, name: str) -> list[Path]:
        """The files of all inputs of this name, in their order; none where there is none."""
        return [self._path(given) for given in self.inputs if given.name == name]

    def bytes(self, name: str) -> bytes:
        """The bytes of the one input of this name."""
        return self.path(name).read_bytes()

    def text(self, name: str) -> str:
        """The text of the one input of this name."""
        try:
            return self.bytes(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise Rejected(f"input '{name}' is not UTF-8: {plain(error, 200)}") from error

    def json(self, name: str) -> Any:
        """The value in the one input of this name."""
        try:
            return json.loads(self.text(name))
        except (ValueError, RecursionError) as error:
            raise Rejected(f"input '{name}' is not JSON: {plain(error, 200)}") from error

    def tables(self, name: str) -> list[pyarrow.Table]:
        """The tables of all inputs of this name, as pyarrow's."""
        return [
            tables.read(self._path(given), name, given.media_type) for given in self.inputs if given.name == name
        ]

    def table(self, name: str) -> pyarrow.Table:
        """The rows of the inputs of this name, as pyarrow's table."""
        found = self.tables(name)
        if not found:
            raise Rejected(self._lacking(name))
        if len(found) == 1:
            return found[0]
        pa = tables.arrow()
        # Categories have a dictionary a file; columns that a part lacks are null there.
        plain_ones = [tables.plain_table(table, name) for table in found]
        try:
            return pa.concat_tables(plain_ones, promote_options="permissive").unify_dictionaries()
        except pa.ArrowException as error:
            raise Rejected(f"the inputs '{name}' can't be joined: {plain(error, 300)}") from error

    def frames(self, name: str, categories: bool = False) -> list[pandas.DataFrame]:
        """The frames of all inputs of this name."""
        return [tables.frame(table, categories) for table in self.tables(name)]

    def frame(self, name: str, categories: bool = False) -> pandas.DataFrame:
        """The rows of the inputs of this name as a frame; categories are texts unless they are asked for."""
        made: pandas.DataFrame = tables.frame(self.table(name), categories)
        return made

    # What models are.

    def onnx(self, name: str = "bundle") -> bytes:
        """The ONNX model of an input: as it is, or out of a Septet bundle."""
        return self._bundle(name)[1]

    def manifest(self, name: str = "bundle") -> dict[str, Any] | None:
        """What the Septet bundle says of its ONNX model: ``preprocessing`` is how rows become features. None where
        the input is a plain ONNX model."""
        return self._bundle(name)[0]

    def _bundle(self, name: str) -> tuple[dict[str, Any] | None, bytes]:
        try:
            return bundle.split(self.bytes(name))
        except ValueError as error:
            raise Rejected(f"input '{name}': {plain(error, 300)}") from error

    def alias(self, alias: str = "champion", model: str | None = None) -> Alias | None:
        """What a model's alias pointed at; none where the call was not told of it."""
        for pinned in self.invocation.aliases:
            if pinned.alias == alias and model in (None, pinned.model):
                return pinned
        return None

    @property
    def champion(self) -> Version | None:
        """The version that the call's alias (``champion`` unless its parameters say otherwise) points at."""
        found = self.alias(self.parameter("alias", "champion"), self.parameter("model"))
        return found.version if found else None

    # What the call answers.

    def write(self, name: str, value: Any, media_type: str | None = None) -> None:
        """Writes an output.

        A frame or a table becomes an Arrow file, a ``Path`` that file's content, a text and bytes what they are, a
        model with ``SerializeToString`` ONNX, and a dictionary or a list JSON; an ``Input`` is given on as it is.
        """
        self._check_name("output", name)
        if name in self._outputs:
            raise ValueError(f"output '{name}' was written already")
        if len(self._outputs) >= MAX_OUTPUTS:
            raise ValueError(f"output '{name}' is one too many: at most {MAX_OUTPUTS} are taken")
        if isinstance(value, Input):
            kind = media_type or value.media_type
            self._outputs[name] = {"name": name, "media-type": kind, "digest": value.digest, "size": value.size}
            return
        path = self.folder / "outputs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = self._put(name, value, media_type, path)
        self._outputs[name] = {"name": name, "media-type": kind, "path": f"outputs/{name}"}

    def metric(self, name: str, value: float) -> None:
        """Says a figure."""
        if not name or len(name.encode()) > MAX_NAME or name != plain(name):
            raise ValueError(f"metric '{plain(name, 80)}' is badly named")
        try:
            figure = float(value)
        except (TypeError, ValueError):
            raise TypeError(f"metric '{name}' is {plain(repr(value), 80)}, not a number") from None
        if not math.isfinite(figure):
            raise ValueError(f"metric '{name}' is {figure}")
        if name in self._metrics:
            raise ValueError(f"metric '{name}' was said already")
        self._metrics[name] = figure

    def metrics(self, figures: Mapping[str, float]) -> None:
        """Says figures by name."""
        for name, value in figures.items():
            self.metric(name, value)

    def note(self, text: str) -> None:
        """Says a sentence for the reader of the run's report."""
        self._notes.append(plain(text))

    def send(self, label: str, body: str | Mapping[str, Any] | list[Any]) -> None:
        """Sends a message when the outcome is committed; what is no text is sent as JSON."""
        self._check_name("message", label)
        text = body if isinstance(body, str) else _json(f"message '{label}'", body)
        self._messages.append({"label": label, "body": text})

    def propose(
        self,
        *,
        model: str | None = None,
        bundle: str | Input | None = None,
        summary: Mapping[str, Any] | None = None,
        alias: str | None = None,
        promote: bool | None = None,
        reason: str | None = None,
    ) -> bool:
        """Proposes a version, and that an alias points at it; says whether the alias is to move.

        Without arguments: the model of the parameters (or of the aliases), the input ``bundle``, the metrics of the
        input ``evaluation`` as its summary, and the alias moves where the evaluation's gate passed or the
        parameters say ``promote``. It is expected to point where it pointed when the call was made.
        """
        alias = alias or self.parameter("alias", "champion")
        known = self.alias(alias, model or self.parameter("model")) or next(iter(self.invocation.aliases), None)
        model = model or self.parameter("model") or (known.model if known else None)
        if not model:
            raise ValueError("propose needs the model's name: neither parameters nor aliases have one")
        bundle = self.input("bundle") if bundle is None else bundle
        digest = bundle.digest if isinstance(bundle, Input) else bundle
        judged = _object(self.json("evaluation") if self.has("evaluation") else None)
        gate = _object(judged.get("gate"))
        if summary is None:
            summary = {"metrics": judged.get("metrics", {}), "gate": gate}
        current = known.version.bundle if known and known.alias == alias and known.version else None
        if promote is None:
            promote = self.parameter("promote") is True or gate.get("verdict") == "pass"
        moves = bool(promote) and current != digest
        change = None
        if moves:
            told = reason or "; ".join(str(line) for line in gate.get("reasons") or []) or "proposed by deploy"
            change = {"alias": alias, "expected": current, "reason": plain(told)}
        summary = json.loads(_json("the summary", summary))
        self._proposals.append({"model": model, "bundle": digest, "summary": summary, "change": change})
        return moves

    def outcome(self) -> dict[str, Any]:
        """What was written and said so far, as ``outcome.json`` has it."""
        return {
            "outputs": list(self._outputs.values()),
            "metrics": [{"name": name, "value": value} for name, value in self._metrics.items()],
            "notes": self._notes,
            "messages": self._messages,
            "proposals": self._proposals,
        }

    def _path(self, given: Input) -> Path:
        at = next(at for at, other in enumerate(self.inputs) if other is given)
        if at not in self._fetched:
            self._fetched[at] = self._fetch(given)
        return self._fetched[at]

    def _lacking(self, name: str) -> str:
        names = ", ".join(dict.fromkeys(plain(given.name, 80) for given in self.inputs))
        return f"{self.stage} was given no input '{plain(name, 80)}': it has {names or 'none'}"

    @staticmethod
    def _check_name(what: str, name: str) -> None:
        good = isinstance(name, str) and 0 < len(name) <= MAX_NAME and name[0] in _ALNUM
        if not good or not _ALNUM.union("._-").issuperset(name):
            told = plain(name, 80)
            raise ValueError(
                f"{what} '{told}' is badly named: letters, digits, '.', '_' and '-' only, a letter or digit first"
            )

    @staticmethod
    def _put(name: str, value: Any, media_type: str | None, path: Path) -> str:
        """Writes the value's bytes; gives the media type."""
        if tables.is_table(value):
            tables.write(value, path, name)
            return media_type or tables.ARROW
        if isinstance(value, Path):
            if not value.is_file():
                raise FileNotFoundError(f"output '{name}' can't be written: there is no file {value}")
            shutil.copyfile(value, path)
            return media_type or "application/octet-stream"
        if isinstance(value, str):
            path.write_bytes(value.encode())
            return media_type or "text/plain"
        if isinstance(value, (bytes, bytearray, memoryview)):
            path.write_bytes(value)
            return media_type or "application/octet-stream"
        if isinstance(value, (dict, list)):
            path.write_text(_json(f"output '{name}'", value), encoding="utf-8")
            return media_type or "application/json"
        if callable(getattr(value, "SerializeToString", None)):
            path.write_bytes(value.SerializeToString())
            return media_type or "application/onnx"
        raise TypeError(
            f"output '{name}' can't be written: a {type(value).__name__} is neither a frame, a table, bytes, a text, "
            "JSON, a path nor ONNX (a model goes as ONNX, never as a pickle)"
        )


def _object(value: Any) -> dict[str, Any]:
    """The value where it is an object of JSON, else an empty one."""
    return value if isinstance(value, dict) else {}


def _json(what: str, value: Any) -> str:
    """The value as JSON. Numbers of numpy are numbers; NaN is not JSON."""

    def number(other: Any) -> Any:
        for method in ("tolist", "item"):
            if callable(getattr(other, method, None)):
                return getattr(other, method)()
        raise TypeError(f"a {type(other).__name__} is not JSON")

    try:
        return json.dumps(value, allow_nan=False, default=number, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{what} can't be written as JSON: {plain(error, 200)}") from None
