"""What wraps a function of Python as one of Septet's stages.

    import septet

    @septet.stage
    def train(call):
        frame = call.frame("train")
        ...
        call.write("bundle", onnx_bytes, "application/onnx")
        call.metric("accuracy", 0.9)

    if __name__ == "__main__":
        septet.main()

Septet starts the script in a folder of its own that holds ``invocation.json``; what the function writes and says is
in ``outcome.json`` when the script ends. ``septet.http`` and ``septet.queue`` answer with the same functions.

The package needs nothing but Python. Tables need pyarrow, and frames pandas besides: each is imported when it is asked
for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .call import Call
from .errors import Rejected, Retry
from .invocation import Alias, Input, Invocation, Version
from .stages import STAGES, main, stage

__all__ = [
    "STAGES",
    "Alias",
    "Call",
    "Input",
    "Invocation",
    "Rejected",
    "Retry",
    "Version",
    "main",
    "stage",
]


def __getattr__(name: str) -> Any:
    """``septet.http`` and ``septet.queue`` are imported where they are used: a command needs neither."""
    if name in ("http", "queue"):
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module 'septet' has no attribute '{name}'")
