"""The logic: one row at a time, without state. Replace it with your own."""

import math


def ratio(length, depth):
    """The ratio of two values.

    A row without one of them has none, and neither has a row whose ratio is no finite number
    (a divisor of zero, for one): a missing value is honest, infinity is not.
    """
    if length is None or depth is None or depth == 0:
        return None
    value = length / depth
    return value if math.isfinite(value) else None
