"""Bundles, read and refused."""

from __future__ import annotations

import json
import struct
import unittest
from typing import Any

from septet import bundle


def made(manifest: Any, kind: int = 9, model: bytes = b"model") -> bytes:
    text = json.dumps(manifest).encode() if not isinstance(manifest, bytes) else manifest
    head = bundle.MAGIC + struct.pack("<I", len(text)) + text
    return head.ljust((len(head) + 15) // 16 * 16, b"\0") + struct.pack("<4I", kind, 3, 0, 0) + model


class Split(unittest.TestCase):
    def test_a_model_is_found_with_what_is_said_of_it(self) -> None:
        for length in range(40):
            manifest = {"algorithm": "onnx", "parameters": "x" * length}
            self.assertEqual(bundle.split(made(manifest)), (manifest, b"model"))

    def test_a_plain_model_has_no_manifest(self) -> None:
        self.assertEqual(bundle.split(b"\x08\x09plain"), (None, b"\x08\x09plain"))

    def test_what_is_none_is_told(self) -> None:
        whole = made({"algorithm": "ridge"})
        for bad, why in [
            (made({"algorithm": "ridge"}, kind=2), "Septet's own and not ONNX"),
            (made(b"{nothing"), "not JSON"),
            (made(b"[" * 100_000), "not JSON"),
            (made([]), "no JSON object"),
            (bundle.MAGIC + b"\xff\xff\xff\xff", "at most"),
            (bundle.MAGIC, "cut off"),
            (whole[:40], "cut off"),
        ]:
            with self.assertRaisesRegex(ValueError, why):
                bundle.split(bad)


if __name__ == "__main__":
    unittest.main()
