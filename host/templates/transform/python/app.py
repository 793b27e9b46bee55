"""What the transform says of itself, and how columns pass through it.

`wit_world` is made by componentize-py from wit/transform.wit.
"""

from componentize_py_types import Err
from ratio import ratio
from wit_world.exports.transform import (
    Description,
    Error_MissingColumn,
    Error_WrongKind,
    Mismatch,
)
from wit_world.imports.tables import (
    Column,
    Field,
    Kind,
    Values_Booleans,
    Values_Categories,
    Values_Floats,
    Values_Integers,
    Values_Texts,
    Values_Timestamps,
)

# Columns that are read: a batch without them is not passed.
LENGTH = "bill_length_mm"
DEPTH = "bill_depth_mm"
# The column that is added.
RATIO = "bill_ratio"

KINDS = {
    Values_Floats: Kind.FLOATS,
    Values_Integers: Kind.INTEGERS,
    Values_Booleans: Kind.BOOLEANS,
    Values_Texts: Kind.TEXTS,
    Values_Categories: Kind.CATEGORIES,
    Values_Timestamps: Kind.TIMESTAMPS,
}


class Transform:
    def describe(self):
        return Description(
            name="{{name}}",
            version="1.0.0",
            needs=[Field(LENGTH, Kind.FLOATS), Field(DEPTH, Kind.FLOATS)],
            adds=[Field(RATIO, Kind.FLOATS)],
            removes=[],
        )

    def apply(self, batch):
        rows = zip(floats(batch, LENGTH), floats(batch, DEPTH))
        ratios = [ratio(length, depth) for length, depth in rows]
        batch.columns.append(
            Column(
                name=RATIO,
                # The slot of a row without a value holds anything, and is named in `nulls`.
                values=Values_Floats([0.0 if value is None else value for value in ratios]),
                nulls=[row for row, value in enumerate(ratios) if value is None],
            )
        )
        return batch


def floats(batch, name):
    """The values of a column of floats, None for each row without one."""
    column = next((column for column in batch.columns if column.name == name), None)
    if column is None:
        raise Err(Error_MissingColumn(name))
    if not isinstance(column.values, Values_Floats):
        found = KINDS[type(column.values)]
        raise Err(Error_WrongKind(Mismatch(name, Kind.FLOATS, found)))
    values = list(column.values.value)
    for row in column.nulls:
        values[row] = None
    return values
