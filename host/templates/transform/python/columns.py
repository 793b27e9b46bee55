"""Columns to lists of values, and back. It is the same in every transform: leave it as it is.

`wit_world` is made by componentize-py from wit/transform.wit.
"""

from componentize_py_types import Err
from wit_world.exports.transform import Error_MissingColumn, Error_WrongKind, Mismatch
from wit_world.imports.tables import (
    Categories,
    Column,
    Kind,
    Values_Booleans,
    Values_Categories,
    Values_Floats,
    Values_Integers,
    Values_Texts,
    Values_Timestamps,
)

# Of each kind: how its values are held, and what fills the slot of a row without one.
HELD = {
    Kind.FLOATS: (Values_Floats, 0.0),
    Kind.INTEGERS: (Values_Integers, 0),
    Kind.BOOLEANS: (Values_Booleans, False),
    Kind.TEXTS: (Values_Texts, ""),
    Kind.CATEGORIES: (Values_Categories, ""),
    Kind.TIMESTAMPS: (Values_Timestamps, 0),
}


def values(batch, name, kind):
    """The values of a column, one a row: None for a row without one, texts for categories."""
    column = next((column for column in batch.columns if column.name == name), None)
    if column is None:
        raise Err(Error_MissingColumn(name))
    found = next(kind for kind, (held, _) in HELD.items() if isinstance(column.values, held))
    if found != kind:
        raise Err(Error_WrongKind(Mismatch(name, kind, found)))
    held = column.values.value
    if kind == Kind.CATEGORIES:
        # The code of a row without a value means nothing, and may be none of the dictionary's.
        texts = dict(enumerate(held.dictionary))
        result = [texts.get(code) for code in held.codes]
    else:
        result = list(held)
    for row in column.nulls:
        result[row] = None
    return result


def put(batch, name, kind, results):
    """Adds the column with these values, one a row, or replaces it. None is a row without a value."""
    held, empty = HELD[kind]
    filled = [empty if value is None else value for value in results]
    if kind == Kind.CATEGORIES:
        dictionary = sorted(set(filled))
        codes = {text: code for code, text in enumerate(dictionary)}
        filled = Categories(dictionary, [codes[text] for text in filled])
    nulls = [row for row, value in enumerate(results) if value is None]
    column = Column(name, held(filled), nulls)
    for place, other in enumerate(batch.columns):
        if other.name == name:
            batch.columns[place] = column
            return
    batch.columns.append(column)
