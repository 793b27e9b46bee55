"""Inputs that are had from addresses, and outputs that are put there: bounded, and held against their digests.

An answer's body is written to a file piece by piece. Redirects are not followed, and only http and https are asked:
an invocation must not name a file of this machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

from .errors import Rejected, Retry, plain
from .invocation import Input

#: Bytes of one input at most, unless more are allowed.
MAX_BYTES = 4 << 30

#: Seconds that an address may keep silent.
SILENCE = 60

_PIECE = 1 << 20


class _Straight(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def into(folder: Path, most: int = MAX_BYTES) -> Callable[[Input], Path]:
    """What fetches inputs into a folder; all of them together have at most so many bytes."""
    left = [most]

    def one(given: Input) -> Path:
        name = plain(given.name, 80)
        if given.size > left[0]:
            raise Rejected(f"input '{name}' has {given.size} bytes: at most {most} are taken here")
        left[0] -= given.size
        path = folder / "inputs" / f"{len(list((folder / 'inputs').iterdir())):02}"
        _fetch(given, name, path)
        return path

    (folder / "inputs").mkdir()
    return one


def put(address: str, name: str, path: Path) -> dict[str, Any]:
    """Puts an output where the invocation says; gives its digest and size."""
    where = f"output '{name}' to {_host(address, 'the place of outputs')}"
    digest, size = hashlib.sha256(), path.stat().st_size
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    with path.open("rb") as file:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        address = f"{address.rstrip('/')}/{urllib.parse.quote(name)}"
        request = urllib.request.Request(address, data=file, headers=headers, method="PUT")
        with _asked(where), urllib.request.build_opener(_Straight).open(request, timeout=SILENCE) as answer:
            told = json.loads(answer.read(_PIECE))
    if not isinstance(told, dict) or told.get("digest") != digest.hexdigest():
        raise Retry(5, f"{where}: other bytes arrived")
    return {"digest": digest.hexdigest(), "size": size}


def _fetch(given: Input, name: str, path: Path) -> None:
    address = given.url or ""
    where = f"input '{name}' from " + _host(address, f"input '{name}'")
    digest, size = hashlib.sha256(), 0
    with _asked(where), urllib.request.build_opener(_Straight).open(address, timeout=SILENCE) as answer:
        with path.open("wb") as file:
            while piece := answer.read(_PIECE):
                size += len(piece)
                if size > given.size:
                    break
                digest.update(piece)
                file.write(piece)
    if size != given.size or digest.hexdigest() != given.digest.lower():
        raise Rejected(f"{where}: these are not the {given.size} bytes whose sha-256 is {plain(given.digest[:12])}")


def _host(address: str, what: str) -> str:
    """The host of an address: the rest of it may be a right to read, and is not told."""
    try:
        parts = urllib.parse.urlsplit(address)
        host = parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        host = None
    if not host:
        raise Rejected(f"{what} has no url that begins with https:// or http://")
    return plain(host, 200)


@contextlib.contextmanager
def _asked(where: str) -> Iterator[None]:
    """What a request came to, as an end of the call."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (408, 429) or error.code >= 500:
            raise Retry(5, f"{where}: status {error.code}") from None
        raise Rejected(f"{where}: status {error.code}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Retry(5, f"{where}: {plain(getattr(error, 'reason', error), 200)}") from None
