"""Asks for a prediction as tritonclient does; prints each output's name and values as JSON.

client.py ADDRESS MODEL [KEY], with the columns as JSON on standard input: [[name, datatype, values], ...].
"""

import json
import sys

import numpy
import tritonclient.http as triton

TYPES = {"BYTES": object, "FP64": numpy.float64, "INT64": numpy.int64}

address, model, *key = sys.argv[1:]
headers = {"authorization": f"Bearer {key[0]}"} if key else {}
client = triton.InferenceServerClient(address)
assert client.is_server_live(headers) and client.is_server_ready(headers)
assert client.is_model_ready(model, headers=headers)
assert not client.is_model_ready("nobody", headers=headers)

inputs = []
for name, datatype, values in json.load(sys.stdin):
    column = triton.InferInput(name, [len(values)], datatype)
    column.set_data_from_numpy(numpy.array(values, dtype=TYPES[datatype]), binary_data=False)
    inputs.append(column)
wanted = [triton.InferRequestedOutput("prediction", binary_data=False)]
result = client.infer(model, inputs, outputs=wanted, headers=headers, request_id="one")
response = result.get_response()
assert response["id"] == "one", response
json.dump({output["name"]: result.as_numpy(output["name"]).tolist() for output in response["outputs"]}, sys.stdout)
