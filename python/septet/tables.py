"""Tables of Arrow and frames of pandas, in the types that all of Septet reads.

Written are whole numbers (int64), floats, booleans, texts, categories of texts and timestamps in microseconds.
Read are these, as what a program has that read a CSV file: texts are texts, times have no zone (they are in UTC).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .errors import Rejected, plain

#: The media type of an Arrow IPC file.
ARROW = "application/vnd.apache.arrow.file"

#: Rows of a batch: what Septet's own stages write.
BATCH = 8_192

#: Columns of a table at most.
MAX_COLUMNS = 4_096


def arrow() -> Any:
    """pyarrow, which tables need."""
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.ipc
    except ImportError as error:
        raise ImportError("tables need pyarrow: pip install pyarrow") from error
    return pyarrow


def pandas() -> Any:
    """pandas, which frames need."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError("frames need pandas: pip install pandas pyarrow") from error
    return pandas


def is_table(value: Any) -> bool:
    """Whether a value is of a kind that is written as a table, by its type's name: nothing is imported."""
    of = type(value).__module__.split(".")[0]
    return (of, type(value).__name__) in {
        ("pandas", "DataFrame"),
        ("pandas", "Series"),
        ("polars", "DataFrame"),
        ("pyarrow", "Table"),
        ("pyarrow", "RecordBatch"),
    }


def read(path: Path, name: str, media_type: str) -> Any:
    """The table in a file: Arrow or Parquet by its first bytes, else JSON Lines or CSV."""
    pa = arrow()
    with path.open("rb") as file:
        head = file.read(4096)
    try:
        if head.startswith(b"ARROW1"):
            with pa.OSFile(str(path)) as source:
                return pa.ipc.open_file(source).read_all()
        if head.startswith(b"PAR1"):
            import pyarrow.parquet

            return pyarrow.parquet.read_table(path)
        if "ndjson" in media_type or head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{"):
            import pyarrow.json

            return pyarrow.json.read_json(path)
        if b"\0" in head or not head.strip():
            raise ValueError("it is neither Arrow, Parquet, JSON Lines nor CSV, or it is empty")
        import pyarrow.csv

        options = pyarrow.csv.ParseOptions(delimiter=delimiter(head), newlines_in_values=True)
        convert = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
        return pyarrow.csv.read_csv(path, parse_options=options, convert_options=convert)
    except (ValueError, OSError, pa.ArrowException) as error:
        raise Rejected(f"input '{name}' can't be read as a table: {plain(error, 300)}") from error


def delimiter(head: bytes) -> str:
    """Of the delimiters that Septet knows, the one that the first line has most of."""
    line = head.split(b"\n", 1)[0].decode("utf-8", "replace")
    return max(",;\t|", key=line.count)


def frame(table: Any, categories: bool) -> Any:
    """A table as a frame with plain types; categories are texts unless they are asked for."""
    pa, pd = arrow(), pandas()
    for at, field in enumerate(table.schema):
        column = table.column(at)
        if pa.types.is_dictionary(field.type) and not categories:
            column = column.cast(pa.string())
        elif pa.types.is_timestamp(field.type) and field.type.tz is not None:
            column = column.cast(pa.timestamp(field.type.unit, "UTC")).cast(pa.timestamp(field.type.unit))
        else:
            continue
        table = table.set_column(at, field.name, column)
    made = table.to_pandas(ignore_metadata=True)
    return made if isinstance(made, pd.DataFrame) else pd.DataFrame(made)


def write(value: Any, path: Path, name: str) -> None:
    """Writes a table, a frame or a series as an Arrow IPC file."""
    pa = arrow()
    table = plain_table(value, name)
    options = pa.ipc.IpcWriteOptions(allow_64bit=False)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=BATCH)


def plain_table(value: Any, name: str) -> Any:
    """The table with types that all of Septet reads; the error names the column."""
    pa = arrow()
    if type(value).__name__ == "Series":
        value = value.to_frame()
    if hasattr(value, "to_arrow"):
        value = value.to_arrow()
    if isinstance(value, pa.RecordBatch):
        value = pa.Table.from_batches([value])
    names = [str(column) for column in (value.column_names if isinstance(value, pa.Table) else value.columns)]
    if len(names) > MAX_COLUMNS:
        raise ValueError(f"output '{name}' has {len(names)} columns: at most {MAX_COLUMNS} are taken")
    twice = {column for column in names if names.count(column) > 1} if len(set(names)) < len(names) else set()
    if twice:
        raise ValueError(f"output '{name}' has two columns '{min(twice)}': columns are told apart by their names")
    columns = []
    for at, column in enumerate(names):
        try:
            columns.append(_column(pa, _array(pa, value, at)))
        except (TypeError, ValueError, pa.ArrowException) as error:
            told = plain(error, 300)
            raise TypeError(f"column '{column}' of output '{name}' can't be written as a table's: {told}") from error
    return pa.table(columns, names=names).unify_dictionaries()


def _array(pa: Any, value: Any, at: int) -> Any:
    if isinstance(value, pa.Table):
        return value.column(at)
    array = pa.Array.from_pandas(value.iloc[:, at])
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _column(pa: Any, column: Any) -> Any:
    """The column in one of the types that are read; ``cast`` refuses what would lose something."""
    kind, types = column.type, pa.types
    if types.is_dictionary(kind):
        if types.is_string(kind.value_type) or types.is_large_string(kind.value_type):
            return column.cast(pa.dictionary(pa.int32(), pa.string()))
        return _column(pa, column.cast(kind.value_type))
    if types.is_boolean(kind):
        return column
    if types.is_integer(kind):
        return column.cast(pa.int64())
    if types.is_floating(kind) or types.is_decimal(kind):
        return column.cast(pa.float64())
    if types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind) or "view" in str(kind):
        return column.cast(pa.string())
    if types.is_timestamp(kind):
        # Finer than a microsecond is not kept; a zone only says how a time is shown.
        return column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.timestamp("us", "UTC"))
    if types.is_date(kind):
        return column.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    raise TypeError(f"its values are of Arrow's type {kind}; give numbers, texts, booleans or timestamps")
