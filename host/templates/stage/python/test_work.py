"""Tests of the work, in ordinary Python: `python -m unittest`."""

import json
import unittest

from work import OUTPUTS, Counted, document


def counted(*pieces):
    count = Counted()
    for piece in pieces:
        count.add(piece)
    return count


class Work(unittest.TestCase):
    def test_lines_do_not_depend_on_the_pieces(self):
        self.assertEqual(counted(b"a\nb\n").lines, 2)
        self.assertEqual(counted(b"a\n", b"", b"b").lines, 2)
        self.assertEqual(counted(b"a", b"\nb").lines, 2)
        self.assertEqual(counted().lines, 0)

    def test_equal_inputs_give_equal_documents(self):
        for output in OUTPUTS:
            made = [document(output, [("a", counted(b"1\n"))], {"k": 1}, 7) for _ in range(2)]
            self.assertEqual(made[0], made[1])
            self.assertEqual(json.loads(made[0])["inputs"][0]["lines"], 1)


if __name__ == "__main__":
    unittest.main()
