"""An existing Python Function, as its queue bindings have it: a message in, a message out.

    reader.py CONNECTION QUEUE OUTCOMES
"""

import sys
import time

import septet
import septet.queue
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueClient, TextBase64DecodePolicy, TextBase64EncodePolicy


@septet.stage
def deploy(call):
    assert call.bytes("bundle")[:8] == b"SEPTETM1"
    call.propose()


def client(queue):
    return QueueClient.from_connection_string(
        sys.argv[1], queue,
        message_encode_policy=TextBase64EncodePolicy(), message_decode_policy=TextBase64DecodePolicy(),
    )


def main():
    asked, outcomes = client(sys.argv[2]), client(sys.argv[3])
    for made in (asked, outcomes):
        try:
            made.create_queue()
        except ResourceExistsError:
            pass
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            message = asked.receive_message(visibility_timeout=30)
        except ResourceNotFoundError:
            message = None
        if message is None:
            time.sleep(0.2)
            continue
        outcomes.send_message("no outcome at all")
        outcomes.send_message(septet.queue.handle(message.content))
        asked.delete_message(message)
        print("ok")
        return
    sys.exit("nothing came")


main()
