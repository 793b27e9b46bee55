"""Which functions are stages, and how a script answers the call in its working folder.

What is written is whole or not there: ``outcome.json`` takes its name when all of it is on the disk.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import traceback
from pathlib import Path, PurePosixPath
from typing import Any, Callable, TypeVar, overload

from .call import Call
from .errors import Broken, Rejected, Retry, outcome_of, plain
from .invocation import MAX_BYTES, Input, Invocation

Function = TypeVar("Function", bound=Callable[[Call], Any])

#: The functions that are stages, by name.
STAGES: dict[str, Callable[[Call], Any]] = {}

#: The seven stages, in their order.
NAMES = ("ingest", "preprocess", "train", "evaluate", "deploy", "infer", "monitor")

#: How a script exits whose input can never work, and whose call is to be made again.
EXIT_REJECTED, EXIT_RETRY = 65, 75

_answered = False


@overload
def stage(function: Function) -> Function: ...


@overload
def stage(function: str) -> Callable[[Function], Function]: ...


def stage(function: Function | str) -> Any:
    """Makes a function a stage: of its own name, or of the name that is given (``@septet.stage("train")``)."""
    if isinstance(function, str):
        name = function
        return lambda decorated: _register(name, decorated)
    return _register(function.__name__, function)


def _register(name: str, function: Function) -> Function:
    if name not in NAMES:
        raise ValueError(f"'{plain(name, 80)}' is no stage: give one of {', '.join(NAMES)} to @septet.stage(…)")
    STAGES[name] = function
    if function.__module__ == "__main__":
        atexit.register(_forgotten)
    return function


def _forgotten() -> None:
    global _answered
    if not _answered and Path("invocation.json").exists():
        _answered = True
        print("septet: no stage was run: end the script with septet.main()", file=sys.stderr)


def main(function: Callable[[Call], Any] | None = None) -> None:
    """Answers the call in the working folder by ``function``, or by the stage that the call is for, and exits."""
    global _answered
    _answered = True
    sys.exit(run(Path.cwd(), function))


def run(folder: Path, function: Callable[[Call], Any] | None = None) -> int:
    """Answers the call in a folder; the number is what the program is to exit with."""
    try:
        invocation = _invocation(folder)
        outcome = answer(Call(invocation, folder, lambda given: _file(folder, given)), function)
    except Broken as error:
        outcome = outcome_of(error)
    try:
        _write(folder, outcome)
    except OSError as error:
        print(f"septet: outcome.json can't be written: {plain(error)}", file=sys.stderr)
        return 1
    reason = outcome.get("rejected") or outcome.get("failed") or outcome.get("retry", {}).get("reason")
    if reason:
        print(f"septet: {reason}", file=sys.stderr)
    return EXIT_REJECTED if "rejected" in outcome else EXIT_RETRY if "retry" in outcome else int("failed" in outcome)


def answer(call: Call, function: Callable[[Call], Any] | None = None) -> dict[str, Any]:
    """The outcome of a call: an error is an outcome, too."""
    try:
        function = function or STAGES.get(call.stage)
        if function is None:
            known = ", ".join(STAGES) or "none"
            raise Broken(f"there is no stage '{plain(call.stage, 80)}' here, decorated with @septet.stage: {known}")
        function(call)
        return call.outcome()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if not isinstance(error, (Rejected, Retry, Broken)):
            traceback.print_exc(file=sys.stderr)
        return outcome_of(error)


def _invocation(folder: Path) -> Invocation:
    path = folder / "invocation.json"
    try:
        with path.open("rb") as file:
            return Invocation.read(file.read(MAX_BYTES + 1))
    except FileNotFoundError:
        told = "Septet starts a stage in a folder that has one (docs/python.md says how to try it)"
        raise Broken(f"there is no invocation.json in {folder}: {told}") from None
    except OSError as error:
        raise Broken(f"invocation.json can't be read: {plain(error)}") from None


def _file(folder: Path, given: Input) -> Path:
    """The file of an input, which must be below the folder."""
    name = plain(given.name, 80)
    if not given.path:
        raise Rejected(f"input '{name}' has no path in invocation.json")
    place = PurePosixPath(given.path)
    if place.is_absolute() or ".." in place.parts:
        raise Rejected(f"input '{name}' is not below the working folder: {plain(given.path, 200)}")
    path = folder / place
    if not path.is_file():
        raise Rejected(f"the file of input '{name}' is missing: {plain(given.path, 200)}")
    return path


def _write(folder: Path, outcome: dict[str, Any]) -> None:
    path = folder / f"outcome.json.{os.getpid()}.part"
    with path.open("w", encoding="utf-8") as file:
        json.dump(outcome, file, allow_nan=False, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    path.replace(folder / "outcome.json")
