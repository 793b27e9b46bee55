"""What the transform says of itself, and how columns pass through it."""

from columns import put, values
from ratio import ratio
from wit_world.exports.transform import Description
from wit_world.imports.tables import Field, Kind

# Columns that are read: a batch without them is not passed.
LENGTH = "bill_length_mm"
DEPTH = "bill_depth_mm"
# The column that is added.
RATIO = "bill_ratio"


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
        lengths = values(batch, LENGTH, Kind.FLOATS)
        depths = values(batch, DEPTH, Kind.FLOATS)
        ratios = [ratio(length, depth) for length, depth in zip(lengths, depths)]
        put(batch, RATIO, Kind.FLOATS, ratios)
        return batch
