"""What Septet asks a stage to do, as it stands in ``invocation.json``: read and checked, never changed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .errors import Broken, plain

#: Bytes of an invocation: parameters may have one MiB, and so may each summary.
MAX_BYTES = 16 << 20

_REQUIRED: Any = object()


@dataclass(frozen=True)
class Input:
    """Named, digested bytes that the stage is given."""

    name: str
    digest: str
    size: int
    media_type: str
    #: Where the bytes are, from the working folder.
    path: str | None = None
    #: Where the bytes are to be had.
    url: str | None = None


@dataclass(frozen=True)
class Version:
    """A registered version of a model."""

    number: int
    #: The bundle's digest.
    bundle: str
    bundle_size: int
    summary: Any


@dataclass(frozen=True)
class Alias:
    """What a model's alias pointed at when the call was made."""

    model: str
    alias: str
    #: How often it was moved.
    revision: int
    version: Version | None


@dataclass(frozen=True)
class Invocation:
    """One call of one stage. All that a result may depend on is in it."""

    stage: str
    run: str
    unit: int
    attempt: int
    inputs: list[Input]
    parameters: dict[str, Any]
    seed: int
    aliases: list[Alias]
    #: Where outputs may be put, each under its name; none for commands.
    outputs: str | None = None

    @classmethod
    def read(cls, text: str | bytes) -> Invocation:
        """The invocation in a JSON document."""
        if len(text) > MAX_BYTES:
            raise Broken(f"the invocation has over {MAX_BYTES >> 20} MiB")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Broken(f"the invocation is not JSON: {plain(error, 200)}") from None
        return cls.of(value)

    @classmethod
    def of(cls, value: Any) -> Invocation:
        """The invocation that a decoded JSON value is."""
        fields = _Fields("the invocation", value)
        return cls(
            stage=fields.take("stage", str),
            run=fields.take("run", str, ""),
            unit=fields.take("unit", int, 0),
            attempt=fields.take("attempt", int, 1),
            inputs=[_input(at, value) for at, value in enumerate(fields.take("inputs", list))],
            parameters=fields.take("parameters", dict, {}),
            seed=fields.take("seed", int, 0),
            aliases=[_alias(at, value) for at, value in enumerate(fields.take("aliases", list, []))],
            outputs=fields.take("outputs", str, None),
        )


class _Fields:
    """An object of JSON whose fields are taken by kind; what is wrong is told by name."""

    def __init__(self, what: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise Broken(f"{what} is not an object of JSON")
        self.what, self.value = what, value

    def take(self, name: str, kind: type, default: Any = _REQUIRED) -> Any:
        value: Any = self.value.get(name)
        if value is None:
            if default is _REQUIRED:
                raise Broken(f"{self.what} has no '{name}'")
            return default
        # A boolean is a whole number to Python, and never to Septet.
        if not isinstance(value, kind) or isinstance(value, bool):
            names = {str: "a text", int: "a whole number", list: "a list", dict: "an object"}
            raise Broken(f"'{name}' of {self.what} is not {names[kind]}")
        if isinstance(value, int) and value < 0:
            raise Broken(f"'{name}' of {self.what} is negative")
        return value


def _input(at: int, value: Any) -> Input:
    fields = _Fields(f"input {at} of the invocation", value)
    return Input(
        name=fields.take("name", str),
        digest=fields.take("digest", str),
        size=fields.take("size", int),
        media_type=fields.take("media-type", str, "application/octet-stream"),
        path=fields.take("path", str, None),
        url=fields.take("url", str, None),
    )


def _alias(at: int, value: Any) -> Alias:
    fields = _Fields(f"alias {at} of the invocation", value)
    version = fields.take("version", dict, None)
    return Alias(
        model=fields.take("model", str),
        alias=fields.take("alias", str),
        revision=fields.take("revision", int, 0),
        version=None if version is None else _version(at, version),
    )


def _version(at: int, value: Any) -> Version:
    fields = _Fields(f"the version of alias {at} of the invocation", value)
    return Version(
        number=fields.take("number", int),
        bundle=fields.take("bundle", str),
        bundle_size=fields.take("bundle-size", int, 0),
        summary=value.get("summary"),
    )
