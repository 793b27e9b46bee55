"""What is in a model's bundle, for functions that predict with one themselves.

An external train's ONNX model reaches the other stages as it is, or, after the built-in preprocess, in a Septet
bundle: a manifest in JSON, which says how rows become features, and the model's bytes.
"""

from __future__ import annotations

import json
import struct
from typing import Any

MAGIC = b"SEPTETM1"

#: Bytes of a manifest at most.
MAX_MANIFEST = 16 << 20

#: The kind of a model that is ONNX.
_ONNX = 9


def split(bundle: bytes) -> tuple[dict[str, Any] | None, bytes]:
    """The manifest, none where the bundle is a plain ONNX model, and the ONNX model."""
    if not bundle.startswith(MAGIC):
        return None, bundle
    if len(bundle) < 12:
        raise ValueError("the model bundle is cut off")
    (length,) = struct.unpack_from("<I", bundle, 8)
    if length > MAX_MANIFEST:
        raise ValueError(f"the bundle's manifest has {length} bytes; at most {MAX_MANIFEST} are read")
    end = 12 + length
    # The model begins at a multiple of 16, with four words: kind, columns, count, classes.
    begin = (end + 15) // 16 * 16
    if len(bundle) < begin + 16:
        raise ValueError("the model bundle is cut off")
    try:
        manifest = json.loads(bundle[12:end])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the bundle's manifest is not JSON: {error}") from error
    if not isinstance(manifest, dict):
        raise ValueError("the bundle's manifest is no JSON object")
    (kind,) = struct.unpack_from("<I", bundle, begin)
    if kind != _ONNX:
        algorithm = manifest.get("algorithm")
        raise ValueError(f"the bundle's model ({algorithm}) is Septet's own and not ONNX: its infer reads it")
    return manifest, bundle[begin + 16 :]
