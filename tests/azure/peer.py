"""Microsoft's own clients for Python write what Septet reads, and read what it writes."""

import base64
import hashlib
import json
import sys

from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

phase, connection = sys.argv[1:]
blobs = BlobServiceClient.from_connection_string(connection)
queues = QueueServiceClient.from_connection_string(connection)


def event(message):
    """A message of Septet: base64 of a CloudEvent, at most 64 KiB on the wire."""
    assert len(message.content) <= 65536
    event = json.loads(base64.b64decode(message.content, validate=True))
    assert event["specversion"] == "1.0" and event["source"] == "septet", event
    for name in ("id", "type", "time", "datacontenttype"):
        assert event[name], event
    return event


def peek(queue):
    return queues.get_queue_client(queue).peek_messages(max_messages=32)


if phase == "asked":
    (asked,) = peek("ingest")
    told = event(asked)
    assert told["type"] == "septet.invocation" and told["data"]["stage"] == "ingest", told
    assert told["group"].startswith(told["data"]["run"]), told
    assert asked.expires_on.year > 9000, asked.expires_on
    # The same once more, as a queue may deliver it, and what is none of Septet's.
    ingest = queues.get_queue_client("ingest")
    ingest.send_message(asked.content)
    ingest.send_message("not even base64!")
    ingest.send_message(base64.b64encode(b"\x00\xff").decode())
    ingest.send_message(base64.b64encode(b'{"specversion":"1.0","id":"x","source":"me"}').decode())
    forged = dict(told, id="none/such", data=dict(told["data"], run="00000000-0000-0000-0000-000000000000"))
    ingest.send_message(base64.b64encode(json.dumps(forged).encode()).decode())
elif phase == "done":
    cas = blobs.get_container_client("cas")
    checked = 0
    for blob in cas.list_blobs():
        content = cas.download_blob(blob.name).readall()
        assert hashlib.sha256(content).hexdigest() == blob.name, blob.name
        checked += 1
    assert checked > 15, checked
    names = [blob.name for blob in blobs.get_container_client("ledger").list_blobs()]
    assert sum(name.startswith("commits/") for name in names) == 5, names
    models = [blob.name for blob in blobs.get_container_client("registry").list_blobs()]
    assert models and all(name.startswith("models/") for name in models), models
    assert not any(name.startswith("models/") for name in names), names
    assert peek("ingest") == [], peek("ingest")
    poison = [event(message) for message in peek("ingest-poison")]
    assert len(poison) == 3, poison
    for one in poison:
        assert one["type"] == "septet.poison", one
        assert one["data"]["reason"], one
    assert len({one["id"] for one in poison}) == 3
else:
    sys.exit(f"no phase {phase}")
print("ok")
