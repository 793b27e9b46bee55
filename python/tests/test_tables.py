"""Tables of Arrow and frames of pandas; left out where neither is installed."""

from __future__ import annotations

import datetime
import decimal
import importlib.util
import tempfile
import unittest
from pathlib import Path
from typing import Any

from septet.call import Call
from septet.errors import Rejected
from septet.invocation import Input, Invocation

HAVE = all(importlib.util.find_spec(name) for name in ("pyarrow", "pandas"))


@unittest.skipUnless(HAVE, "pyarrow and pandas are not installed")
class Tables(unittest.TestCase):
    def setUp(self) -> None:
        self.holder = tempfile.TemporaryDirectory()
        self.addCleanup(self.holder.cleanup)
        self.folder = Path(self.holder.name)

    def call(self, *names: str, media_type: str = "application/vnd.apache.arrow.file") -> Call:
        inputs = [Input(name, "", 0, media_type, path) for name, path in (name.split("=") for name in names)]
        invocation = Invocation("train", "r", 0, 1, inputs, {}, 0, [])
        return Call(invocation, self.folder, lambda given: self.folder / given.path)

    def there_and_back(self, value: Any, **options: Any) -> tuple[Any, Any]:
        """The table that was written, and the frame that is read of it."""
        self.call().write("t", value)
        call = self.call("t=outputs/t")
        return call.table("t"), call.frame("t", **options)

    def test_a_frame_has_the_types_that_all_of_septet_reads(self) -> None:
        import numpy as np
        import pandas as pd
        import pyarrow as pa

        frame = pd.DataFrame(
            {
                "i8": np.array([1, -1], dtype="int8"),
                "u64": np.array([1, 2], dtype="uint64"),
                "f32": np.array([0.5, np.nan], dtype="float32"),
                "b": [True, False],
                "t": ["é", None],
                "c": pd.Categorical(["x", None], categories=["y", "x"]),
                "n": pd.Categorical([3, 4]),
                "w": pd.to_datetime(["2024-02-29T12:00:00.123456789", None]),
                "z": pd.to_datetime(["2024-02-29T12:00:00", "2024-03-01T00:00:00"]).tz_localize("Europe/Berlin"),
                "d": [datetime.date(2024, 1, 1), None],
                "m": [decimal.Decimal("1.5"), None],
                "e": [None, None],
                7: pd.array([1, None], dtype="Int64"),
            },
            index=[5, 9],
        )
        table, back = self.there_and_back(frame)
        kinds = {field.name: str(field.type) for field in table.schema}
        stamp = "timestamp[us, tz=UTC]"
        self.assertEqual(
            kinds,
            {
                "i8": "int64", "u64": "int64", "f32": "double", "b": "bool", "t": "string",
                "c": "dictionary<values=string, indices=int32, ordered=0>", "n": "int64", "w": stamp, "z": stamp,
                "d": stamp, "m": "double", "e": "string", "7": "int64",
            },
        )
        self.assertIsNone(table.schema.metadata)
        self.assertEqual([table.column(name).null_count for name in ("f32", "t", "c", "w", "7")], [1] * 5)
        self.assertEqual(table.column("c").chunk(0).dictionary, pa.array(["y", "x"]))
        self.assertEqual(list(back.index), [0, 1])
        self.assertEqual(back["c"].iloc[0], "x")
        self.assertNotEqual(str(back["c"].dtype), "category")
        self.assertEqual(str(back["i8"].dtype), "int64")
        self.assertTrue(str(back["w"].dtype).startswith("datetime64[") and "UTC" not in str(back["w"].dtype))
        self.assertEqual(str(back["w"].iloc[0]), "2024-02-29 12:00:00.123456")
        self.assertEqual(str(back["z"].iloc[0]), "2024-02-29 11:00:00")
        _, back = self.there_and_back_again(frame)
        self.assertEqual(str(back["c"].dtype), "category")

    def there_and_back_again(self, frame: Any) -> tuple[Any, Any]:
        (self.folder / "outputs/t").unlink()
        return self.there_and_back(frame, categories=True)

    def test_many_rows_are_many_batches_with_one_dictionary(self) -> None:
        import pandas as pd
        import pyarrow as pa

        frame = pd.DataFrame({"c": pd.Categorical(["x", "y", None] * 10_000), "i": range(30_000)})
        _, back = self.there_and_back(frame)
        self.assertEqual((len(back), back["i"].iloc[29_999]), (30_000, 29_999))
        with pa.OSFile(str(self.folder / "outputs/t")) as source:
            self.assertEqual(pa.ipc.open_file(source).num_record_batches, 4)

    def test_parts_are_joined_in_their_order(self) -> None:
        import pandas as pd

        call = self.call()
        call.write("a", pd.DataFrame({"x": [1, 2], "c": pd.Categorical(["u", "v"])}))
        call.write("b", pd.DataFrame({"x": [0.5], "c": pd.Categorical(["w"]), "more": [True]}))
        call = self.call("table=outputs/a", "table=outputs/b")
        self.assertEqual([len(frame) for frame in call.frames("table")], [2, 1])
        joined = call.frame("table")
        self.assertEqual(list(joined["x"]), [1.0, 2.0, 0.5])
        self.assertEqual(list(joined["c"]), ["u", "v", "w"])
        with self.assertRaisesRegex(Rejected, "no input 'test': it has table"):
            call.frame("test")
        call.write("bad", pd.DataFrame({"x": ["text"]}))
        with self.assertRaisesRegex(Rejected, "the inputs 'table' can't be joined: .*x"):
            self.call("table=outputs/a", "table=outputs/bad").frame("table")

    def test_files_of_other_formats_are_read(self) -> None:
        import pandas as pd

        frame = pd.DataFrame({"a": [1, 2], "b": ["x;y", "z"]})
        frame.to_csv(self.folder / "c.csv", index=False, sep=";")
        frame.to_json(self.folder / "j.jsonl", orient="records", lines=True)
        frame.to_parquet(self.folder / "p.parquet")
        for name in ("c.csv", "j.jsonl", "p.parquet"):
            read = self.call(f"source={name}", media_type="application/octet-stream").frame("source")
            self.assertEqual(read.to_dict("list"), frame.to_dict("list"), name)
        for content in (b"", b"\0\1\2", b"ARROW1 and no more", b"PAR1", b'{"a":1'):
            (self.folder / "broken").write_bytes(content)
            with self.assertRaisesRegex(Rejected, "^input 'source' can't be read as a table: "):
                self.call("source=broken").frame("source")

    def test_what_is_no_table_names_the_column(self) -> None:
        import pandas as pd
        import pyarrow as pa

        for value, told in [
            (pd.DataFrame({"mixed": [1, "a"]}), "column 'mixed' of output 't' can't be written"),
            (pd.DataFrame({"lists": [[1], [2]]}), "column 'lists' of output 't'.*list<"),
            (pd.DataFrame({"objects": [object()]}), "column 'objects' of output 't'"),
            (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns 'a'"),
            (pa.table({"u": pa.array([2**63], pa.uint64())}), "column 'u' of output 't'"),
            (pa.table({"s": pa.array([1], pa.time32("s"))}), "column 's' of output 't'.*time32"),
            (pd.DataFrame([range(5_000)]), "5000 columns: at most 4096"),
        ]:
            with self.subTest(told=told), self.assertRaisesRegex((TypeError, ValueError), told):
                self.call().write("t", value)

    def test_the_frame_of_no_rows_keeps_its_columns(self) -> None:
        import pandas as pd

        table, back = self.there_and_back(pd.DataFrame({"a": pd.Series([], dtype="int64")}))
        self.assertEqual((table.num_rows, list(back.columns)), (0, ["a"]))


if __name__ == "__main__":
    unittest.main()
