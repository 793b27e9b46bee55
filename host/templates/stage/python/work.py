"""The work: what is made of the inputs. **This is yours to write.**

As it was written by `septet new`, it counts the lines and bytes of each input and makes one JSON
document for each output. The contract is kept and the stage runs; but the stages after it expect
what docs/stages.md of Septet says, and refuse this document until it is that.
"""

import json

# Inputs that must be there.
INPUTS = {{inputs}}
# Outputs that are written.
OUTPUTS = {{outputs}}
# How the outputs are written.
MEDIA_TYPE = "{{media}}"


class Counted:
    """What was counted of an input. It is fed piece by piece, so that no input need fit in memory."""

    def __init__(self):
        self.bytes = 0
        self.ended = 0
        self.open = False

    def add(self, piece):
        """Takes the next piece."""
        self.bytes += len(piece)
        self.ended += piece.count(b"\n")
        if piece:
            self.open = not piece.endswith(b"\n")

    @property
    def lines(self):
        """Lines, the last one without an end included."""
        return self.ended + self.open


def document(output, inputs, parameters, seed):
    """The text of an output. Equal inputs, parameters and seed must give equal bytes."""
    made = {
        "output": output,
        "inputs": [
            {"name": name, "bytes": counted.bytes, "lines": counted.lines}
            for name, counted in inputs
        ],
        "parameters": parameters,
        "seed": seed,
{{train}}        # What the predictor of an infer written by `septet new` answers for every row.
{{train}}        "prediction": 0.0,
        "made_by": "{{name}}",
    }
    return json.dumps(made, sort_keys=True)
