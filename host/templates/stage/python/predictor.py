"""Predictions on request: the bundle is loaded once, then rows are asked often.

**This is yours to write.** As it was written by `septet new`, a bundle is a JSON object, and its
number `prediction` is the answer for every row.
"""

import json

from componentize_py_types import Err
from wit_world.exports.predictor import Error_Failed, Error_Rejected, Feature, Signature
from wit_world.imports.blob_read import Reader
from wit_world.imports.tables import Column, Kind, Table, Values_Floats

# Bytes that a bundle may have.
MOST = 1 << 20

# The model: an instance holds one.
model = None


class Predictor:
    def load(self, bundle):
        global model
        if bundle.size > MOST:
            raise Err(Error_Rejected(f"the bundle is over {MOST} bytes"))
        try:
            with Reader.open(bundle.digest) as reader:
                content = reader.read(0, MOST)
        except Err as error:
            raise Err(Error_Failed(f"the bundle can't be read: {error.value}")) from None
        try:
            model = float(json.loads(content)["prediction"])
        except (KeyError, TypeError, ValueError):
            raise Err(Error_Rejected("the bundle has no number 'prediction'")) from None
        return Signature(
            # Columns that `predict` needs: none yet.
            inputs=[],
            outputs=[Feature("prediction", Kind.FLOATS, False)],
        )

    def predict(self, batch):
        if model is None:
            raise Err(Error_Failed("no bundle is loaded"))
        values = Values_Floats([model] * batch.rows)
        return Table(batch.rows, [Column("prediction", values, [])])
