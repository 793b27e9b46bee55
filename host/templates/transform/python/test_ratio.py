"""Tests of the logic, in ordinary Python: `python -m unittest`."""

import sys
import unittest

from ratio import ratio


class Ratio(unittest.TestCase):
    def test_a_ratio_is_a_quotient(self):
        self.assertEqual(ratio(39.0, 20.0), 1.95)
        self.assertEqual(ratio(0.0, 20.0), 0.0)

    def test_what_is_missing_stays_missing(self):
        self.assertIsNone(ratio(None, 20.0))
        self.assertIsNone(ratio(39.0, None))

    def test_a_ratio_that_is_no_number_is_missing(self):
        self.assertIsNone(ratio(39.0, 0.0))
        self.assertIsNone(ratio(0.0, 0.0))
        self.assertIsNone(ratio(float("nan"), 1.0))
        self.assertIsNone(ratio(sys.float_info.max, sys.float_info.min))


if __name__ == "__main__":
    unittest.main()
