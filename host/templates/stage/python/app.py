"""From an invocation to its outcome.

Inputs are read piece by piece, outputs written, and every error becomes what is to become of the
message. `wit_world` is made by componentize-py from wit/.
"""

import json

from componentize_py_types import Err
from wit_world.imports import blobs, log
from wit_world.imports.blob_read import Reader
from wit_world.imports.blob_write import Writer
{{deploy}}from wit_world.imports.registry_propose import Proposal, propose
from wit_world.imports.types import (
    Artifact,
    Delay,
    Metric,
    Outcome,
    StageError_Failed,
    StageError_Rejected,
    StageError_Retry,
)
from work import INPUTS, MEDIA_TYPE, OUTPUTS, Counted, document
{{infer}}
{{infer}}# componentize-py looks for the exports in this module.
{{infer}}from predictor import Predictor  # noqa: F401

# Bytes that are read at once.
PIECE = 1 << 20


class Stage:
    def run(self, invocation):
        parameters = json.loads(invocation.parameters)
        names = [artifact.name for artifact in invocation.inputs]
        for name in INPUTS:
            if name not in names:
                # Rejected: this input can never work, so it is not tried again.
                raise Err(StageError_Rejected(f"the input '{name}' is missing"))
        inputs = [(artifact.name, count(artifact)) for artifact in invocation.inputs]
{{deploy}}        register(invocation, parameters)
        outputs = []
        for name in OUTPUTS:
            text = document(name, inputs, parameters, invocation.seed)
            outputs.append(write(name, text.encode()))
        return Outcome(
            outputs=outputs,
            metrics=[Metric("bytes", float(sum(counted.bytes for _, counted in inputs)))],
            notes=["{{name}} counts its inputs and does no more yet"],
        )


def count(artifact):
    """Reads an input from its first byte to its last."""
    counted = Counted()
    try:
        with Reader.open(artifact.digest) as reader:
            while counted.bytes < artifact.size:
                piece = reader.read(counted.bytes, PIECE)
                if not piece:
                    reason = f"'{artifact.name}' ended before its size"
                    raise Err(StageError_Failed(reason))
                counted.add(piece)
                # This is also where the host stops a stage: call it in every long loop.
                log.progress(counted.bytes, artifact.size)
    except Err as error:
        raise told(artifact.name, error) from None
    return counted


def write(name, content):
    """Writes an output and names it."""
    try:
        with Writer.create(MEDIA_TYPE) as writer:
            for at in range(0, len(content), PIECE):
                writer.write(content[at : at + PIECE])
            info = writer.finish()
    except Err as error:
        raise told(name, error) from None
    return Artifact(name, info.digest, info.size, info.media_type)


def told(name, error):
    """What is to become of the message: a store that is away is tried again, anything else is said."""
    match error.value:
        case blobs.Error_Unavailable(reason):
            reason = f"'{name}': the store is not available: {reason}"
            return Err(StageError_Retry(Delay(5000, reason)))
        case blobs.Error_TooLarge(limit):
            return Err(StageError_Rejected(f"'{name}' is over the limit of {limit} bytes"))
        case blobs.Error_NoSuchBlob():
            return Err(StageError_Failed(f"'{name}' is not there"))
        case blobs.Error_AccessDenied():
            return Err(StageError_Failed(f"'{name}' is not granted"))
        case blobs.Error_Other(reason):
            return Err(StageError_Failed(f"'{name}': {reason}"))
        case _:
            return error
{{deploy}}
{{deploy}}
{{deploy}}def register(invocation, parameters):
{{deploy}}    """Proposes the bundle as a version of its model.
{{deploy}}
{{deploy}}    The alias stays where it is: whether it is to move is what the evaluation says, and yours to
{{deploy}}    read.
{{deploy}}    """
{{deploy}}    bundle = next(artifact for artifact in invocation.inputs if artifact.name == "bundle")
{{deploy}}    if "model" not in parameters:
{{deploy}}        raise Err(StageError_Rejected("the parameter 'model' is missing"))
{{deploy}}    try:
{{deploy}}        propose(Proposal(parameters["model"], bundle.digest, "{}", None))
{{deploy}}    except Err as error:
{{deploy}}        raise Err(StageError_Failed(f"the proposal: {error.value}")) from None
