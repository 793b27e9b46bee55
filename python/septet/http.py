"""Stages behind HTTP: whatever serves (Flask, FastAPI, Azure Functions, http.server) hands the body over.

    @app.post("/train")
    def train():
        status, headers, body = septet.http.handle(flask.request.get_data())
        return flask.Response(body, status, headers)

Who may call is the server's to check, before this.
"""

from __future__ import annotations

import json
import math
from typing import Any, Callable

from . import fetch, remote
from .call import Call
from .errors import plain
from .invocation import MAX_BYTES

#: Bytes of outputs that are within an answer, where they could be put elsewhere, and where they could not.
INLINE, MAX_OUTPUT = 1 << 20, 90 << 20

Answer = tuple[int, dict[str, str], bytes]


def handle(
    body: bytes, function: Callable[[Call], Any] | None = None, *, max_input_bytes: int = fetch.MAX_BYTES
) -> Answer:
    """The status, headers and body that answer an invocation.

    200 an outcome, 422 rejected, 503 with Retry-After to come again, 500 failed, 400 and 413 no invocation.
    """
    if len(body) > MAX_BYTES:
        return _answer(413, {"failed": f"the invocation has over {MAX_BYTES >> 20} MiB"})
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        return _answer(400, {"failed": f"the invocation is not JSON: {plain(error, 200)}"})
    outcome = remote.outcome(value, function, max_input_bytes, INLINE, MAX_OUTPUT)
    if "rejected" in outcome:
        return _answer(422, outcome)
    if "retry" in outcome:
        seconds = math.ceil(outcome["retry"]["milliseconds"] / 1000)
        return _answer(503, outcome, {"Retry-After": str(seconds)})
    return _answer(500 if "failed" in outcome else 200, outcome)


def _answer(status: int, outcome: dict[str, Any], more: dict[str, str] | None = None) -> Answer:
    body = json.dumps(outcome, allow_nan=False).encode()
    return status, {"Content-Type": "application/json", **(more or {})}, body
