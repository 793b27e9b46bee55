"""Stages behind a queue: an event in, an event out, both CloudEvents 1.0 in JSON.

    for message in incoming:
        outgoing.send(septet.queue.handle(message.body))
        message.delete()

The outcome goes back with the ``reply`` that came: who has no such token can't answer for a stage.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from datetime import datetime, timezone
from typing import Any, Callable

from . import fetch, remote
from .call import Call
from .errors import plain
from .invocation import MAX_BYTES

#: Bytes of an event that goes back at most, and of the outputs within it before they are base64.
MAX_EVENT, INLINE = 48 << 10, 24 << 10


class Malformed(ValueError):
    """What came is no event with an invocation and a reply: there is nobody to answer to."""


def handle(
    event: str | bytes, function: Callable[[Call], Any] | None = None, *,
    max_input_bytes: int = fetch.MAX_BYTES,
) -> str:
    """The event that answers an event. Raises ``Malformed`` where nobody can be answered."""
    data, event_id, trace = _data(event)
    reply = data.pop("reply", None)
    known = isinstance(reply, dict) and all(isinstance(reply.get(key), str) for key in ("id", "token"))
    if not known:
        raise Malformed("the event's data has no reply with an id and a token")
    reply = {"id": reply["id"], "token": reply["token"]}
    outcome = remote.outcome(data, function, max_input_bytes, INLINE, INLINE)
    answer: dict[str, Any] = {
        "specversion": "1.0",
        # The same event, handled again, is answered by the same identifier.
        "id": hashlib.sha256(f"{event_id}\n{reply['id']}".encode("utf-8", "replace")).hexdigest()[:32],
        "source": "septet/python",
        "type": "septet.outcome",
        "time": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "datacontenttype": "application/json",
        "data": {"reply": reply, "outcome": outcome},
    }
    if trace:
        answer["traceparent"] = trace
    text = json.dumps(answer, allow_nan=False, ensure_ascii=False)
    if len(text.encode("utf-8", "replace")) > MAX_EVENT:
        answer["data"]["outcome"] = {"failed": f"the outcome makes an event of over {MAX_EVENT >> 10} KiB: say less"}
        text = json.dumps(answer, allow_nan=False)
    return text


def _data(event: str | bytes) -> tuple[dict[str, Any], str, str | None]:
    """The event's data, its identifier and its trace."""
    if len(event) > MAX_BYTES:
        raise Malformed(f"the event has over {MAX_BYTES >> 20} MiB")
    try:
        value = json.loads(event)
        if not isinstance(value, dict) or value.get("specversion") != "1.0":
            raise Malformed("this is no CloudEvent of version 1.0")
        data = value.get("data")
        if data is None and isinstance(value.get("data_base64"), str):
            data = json.loads(base64.b64decode(value["data_base64"], validate=True))
    except Malformed:
        raise
    except (ValueError, RecursionError, binascii.Error) as error:
        raise Malformed(f"the event is not JSON: {plain(error, 200)}") from None
    if not isinstance(data, dict):
        raise Malformed("the event has no data that is an object")
    trace = value.get("traceparent")
    return data, str(value.get("id", "")), trace if isinstance(trace, str) else None
