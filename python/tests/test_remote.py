"""The same functions behind HTTP and behind a queue."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import io
import json
import threading
import unittest
from typing import Any

import septet

CONTENT = b"a,b\n1,2\n"


class Blobs(http.server.BaseHTTPRequestHandler):
    """Answers by the path: a status, or the content."""

    def do_GET(self) -> None:
        status = int(self.path.strip("/").split("/")[0])
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/200")
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(CONTENT)

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.path.startswith("/put/"):
            return self.send_error(413)
        self.server.put[self.path] = content
        told = json.dumps({"digest": hashlib.sha256(content).hexdigest(), "size": len(content)}).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: Any) -> None:
        """Nothing is told of requests."""


class Remote(unittest.TestCase):
    def setUp(self) -> None:
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Blobs)
        self.server.put = {}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def asked(self, status: int = 200, **changes: Any) -> dict[str, Any]:
        given = {
            "name": "source", "digest": hashlib.sha256(CONTENT).hexdigest(), "size": len(CONTENT),
            "media-type": "text/csv", "url": f"http://127.0.0.1:{self.server.server_port}/{status}",
        }
        given.update(changes)
        return {"stage": "ingest", "run": "r", "unit": 0, "attempt": 1, "inputs": [given], "parameters": {}, "seed": 0}

    @staticmethod
    def ask(value: Any, function: Any, **options: Any) -> Any:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        with contextlib.redirect_stderr(io.StringIO()):
            status, headers, body = septet.http.handle(body, function, **options)
        assert headers["Content-Type"] == "application/json"
        return status, headers, json.loads(body)

    @staticmethod
    def copy(call: septet.Call) -> None:
        call.write("table", call.bytes("source") * 2, "text/csv")
        call.metric("rows", 1)

    def test_an_outcome_has_its_outputs_within(self) -> None:
        status, _, outcome = self.ask(self.asked(), self.copy)
        self.assertEqual(status, 200, outcome)
        self.assertEqual(base64.b64decode(outcome["outputs"][0].pop("data")), CONTENT * 2)
        self.assertEqual(outcome["outputs"], [{"name": "table", "media-type": "text/csv"}])
        self.assertEqual(outcome["metrics"], [{"name": "rows", "value": 1.0}])

    def test_statuses_say_how_it_ended(self) -> None:
        def refuse(call: septet.Call) -> None:
            raise septet.Rejected("no rows")

        def later(call: septet.Call) -> None:
            raise septet.Retry(1.2, "busy")

        def fail(call: septet.Call) -> None:
            raise KeyError("age")

        self.assertEqual(self.ask(self.asked(), refuse)[::2], (422, {"rejected": "no rows"}))
        status, headers, outcome = self.ask(self.asked(), later)
        self.assertEqual((status, headers["Retry-After"]), (503, "2"))
        self.assertEqual(outcome, {"retry": {"milliseconds": 1200, "reason": "busy"}})
        status, _, outcome = self.ask(self.asked(), fail)
        self.assertEqual(status, 500)
        self.assertIn("KeyError: 'age' (test_remote.py, line ", outcome["failed"])
        status, _, outcome = self.ask(self.asked(), None)
        self.assertEqual((status, "no stage 'ingest' here" in outcome["failed"]), (500, True))
        self.assertEqual(self.ask(b"{", self.copy)[0], 400)
        self.assertEqual(self.ask(b"[" * 100_000, self.copy)[0], 400)
        self.assertEqual(self.ask(b" " * (17 << 20), self.copy)[0], 413)

    def test_only_what_was_meant_is_fetched(self) -> None:
        for asked, status, told in [
            (self.asked(404), 422, "input 'source' from 127.0.0.1: status 404"),
            (self.asked(302), 422, "status 302"),
            (self.asked(500), 503, "status 500"),
            (self.asked(size=3), 422, "not the 3 bytes"),
            (self.asked(size=9), 422, "not the 9 bytes"),
            (self.asked(digest="0" * 64), 422, "not the 8 bytes"),
            (self.asked(url="file:///etc/passwd"), 422, "no url that begins with https://"),
            (self.asked(url=None, path="/etc/passwd"), 422, "no url that begins with https://"),
            (self.asked(url="http://127.0.0.1:1/x"), 503, "refused"),
            (self.asked(size=10**12), 422, "at most 1000 are taken here"),
        ]:
            with self.subTest(told=told):
                got, _, outcome = self.ask(asked, self.copy, max_input_bytes=1000)
                self.assertEqual(got, status, outcome)
                reason = outcome.get("rejected") or outcome["retry"]["reason"]
                self.assertIn(told, reason)

    def test_large_outputs_are_put_where_the_invocation_says(self) -> None:
        def write(call: septet.Call) -> None:
            call.write("small", b"abc")
            call.write("large", b"x" * (2 << 20))

        base = f"http://127.0.0.1:{self.server.server_port}"
        status, _, outcome = self.ask({**self.asked(), "outputs": f"{base}/put/token/outputs"}, write)
        self.assertEqual((status, list(self.server.put)), (200, ["/put/token/outputs/large"]))
        small, large = outcome["outputs"]
        self.assertEqual(small["data"], "YWJj")
        self.assertEqual((large["size"], len(large["digest"]), "data" in large), (2 << 20, 64, False))
        data = {**self.asked(), "outputs": f"{base}/put/q", "reply": {"id": "i", "token": "t"}}
        answer = septet.queue.handle(self.event(data=data), write)
        self.assertLess(len(answer), 2_000)
        self.assertIn("/put/q/large", self.server.put)
        for place, told in [(f"{base}/full", "output 'large' to 127.0.0.1: status 413"), ("file:///tmp", "no url")]:
            status, _, outcome = self.ask({**self.asked(), "outputs": place}, write)
            self.assertEqual((status, told in outcome["rejected"]), (422, True), outcome)

    def event(self, **changes: Any) -> str:
        data = {**self.asked(), "reply": {"id": "i-1", "token": "t", "more": 1}}
        event = {"specversion": "1.0", "id": "e", "source": "septet", "type": "septet.call", "data": data}
        event.update(changes)
        return json.dumps(event)

    def test_an_event_is_answered_by_an_event(self) -> None:
        answer = json.loads(septet.queue.handle(self.event(traceparent="00-a-b-01"), self.copy))
        self.assertEqual((answer["specversion"], answer["type"]), ("1.0", "septet.outcome"))
        self.assertEqual(answer["traceparent"], "00-a-b-01")
        self.assertEqual(answer["data"]["reply"], {"id": "i-1", "token": "t"})
        self.assertEqual(base64.b64decode(answer["data"]["outcome"]["outputs"][0]["data"]), CONTENT * 2)
        again = json.loads(septet.queue.handle(self.event(), self.copy))
        self.assertEqual(again["id"], answer["id"])
        data = base64.b64encode(json.dumps({**self.asked(), "reply": {"id": "i", "token": "t"}}).encode()).decode()
        coded = json.loads(septet.queue.handle(self.event(data=None, data_base64=data), self.copy))
        self.assertEqual(coded["data"]["outcome"]["metrics"][0]["value"], 1.0)
        def much(call: septet.Call) -> None:
            call.write("table", b"x" * 30_000)

        def talk(call: septet.Call) -> None:
            call.send("fan-out", "x" * 50_000)

        for function, told in [(much, "over 24576 bytes"), (talk, "over 48 KiB")]:
            large = json.loads(septet.queue.handle(self.event(), function))
            self.assertIn(told, large["data"]["outcome"]["failed"])
        bad = json.loads(septet.queue.handle(self.event(data={"reply": {"id": "i", "token": "t"}}), self.copy))
        self.assertEqual(bad["data"]["outcome"], {"failed": "the invocation has no 'stage'"})

    def test_what_nobody_can_be_answered_to_is_said(self) -> None:
        for event, told in [
            ("", "not JSON"),
            ("[" * 100_000, "not JSON"),
            ("{}", "no CloudEvent of version 1.0"),
            (self.event(data=None), "no data that is an object"),
            (self.event(data=None, data_base64="%"), "not JSON"),
            (self.event(data={"reply": {"id": "i"}}), "no reply with an id and a token"),
            (self.event(data={"reply": {"id": "i", "token": 7}}), "no reply with an id and a token"),
        ]:
            with self.subTest(told=told), self.assertRaisesRegex(septet.queue.Malformed, told):
                septet.queue.handle(event, self.copy)


if __name__ == "__main__":
    unittest.main()
