"""What answers over HTTP and from queues share: a call in a folder that lives as long as the call."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any, Callable

from . import fetch
from .call import Call
from .errors import Broken, Rejected, Retry, outcome_of
from .invocation import Invocation
from .stages import answer


def outcome(
    value: Any, function: Callable[[Call], Any] | None, most_input: int, inline: int, most_output: int
) -> dict[str, Any]:
    """The outcome of the invocation that a decoded JSON value is.

    Outputs of at most ``inline`` bytes together are in it as base64; others are put where the invocation says. Where
    it does not say it, ``most_output`` bytes are in it at most.
    """
    with tempfile.TemporaryDirectory(prefix="septet-") as name:
        folder = Path(name)
        try:
            call = Call(Invocation.of(value), folder, fetch.into(folder, most_input))
        except Broken as error:
            return outcome_of(error)
        told = answer(call, function)
        place = call.invocation.outputs
        most, size = (inline if place else most_output), 0
        for output in told.get("outputs", []):
            if "path" not in output:
                continue
            path = folder / output.pop("path")
            length = path.stat().st_size
            if size + length <= most:
                size += length
                output["data"] = base64.b64encode(path.read_bytes()).decode()
            elif place:
                try:
                    output.update(fetch.put(place, output["name"], path))
                except (Rejected, Retry) as error:
                    return outcome_of(error)
            else:
                return {"failed": f"the outputs have over {most} bytes: at most these are sent back"}
        return told
