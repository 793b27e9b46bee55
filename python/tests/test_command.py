"""A script in a working folder, as Septet starts one."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent / "septet"

DIGEST = "a" * 64


def invocation(**fields: Any) -> dict[str, Any]:
    asked = {
        "stage": "train", "run": "r-1", "unit": 0, "attempt": 1, "seed": 2**40 + 7,
        "inputs": [given("train", b"1,2\n")], "parameters": {"algorithm": "ridge"}, "aliases": [],
    }
    asked.update(fields)
    return asked


def given(name: str, content: bytes, path: str = "inputs/00.bin") -> dict[str, Any]:
    return {"name": name, "digest": DIGEST, "size": len(content), "media-type": "text/csv", "path": path}


class Script(unittest.TestCase):
    """Runs scripts in a folder of their own, with the package beside them."""

    def setUp(self) -> None:
        self.holder = tempfile.TemporaryDirectory()
        self.addCleanup(self.holder.cleanup)
        self.folder = Path(self.holder.name)
        (self.folder / "septet").symlink_to(PACKAGE)
        for name in ("inputs", "outputs"):
            (self.folder / name).mkdir()
        (self.folder / "inputs/00.bin").write_bytes(b"1,2\n")

    def start(self, body: str, asked: Any = None) -> tuple[int, Any, str]:
        """The exit code, the outcome and the last line of standard error."""
        script = "import septet\n" + textwrap.dedent(body)
        (self.folder / "stage.py").write_text(script)
        if asked is not None:
            text = asked if isinstance(asked, str) else json.dumps(asked)
            (self.folder / "invocation.json").write_text(text)
        ended = subprocess.run([sys.executable, "stage.py"], cwd=self.folder, capture_output=True, text=True)
        outcome = self.folder / "outcome.json"
        lines = ended.stderr.splitlines() or [""]
        self.assertEqual([path.name for path in self.folder.glob("*.part")], [])
        return ended.returncode, json.loads(outcome.read_text()) if outcome.exists() else None, lines[-1]

    def test_five_lines_are_a_stage(self) -> None:
        code, outcome, told = self.start(
            """
            @septet.stage
            def train(call):
                call.write("bundle", b"onnx" + call.bytes("train"), "application/onnx")
                call.metric("accuracy", 0.9)
                call.note("seed %d, %d" % (call.seed, call.random_state))
                call.send("fan-out", {"algorithm": call.parameter("algorithm")})
                call.write("again", call.input("train"))
            septet.main()
            """,
            invocation(),
        )
        self.assertEqual((code, told), (0, ""))
        self.assertEqual((self.folder / "outputs/bundle").read_bytes(), b"onnx1,2\n")
        self.assertEqual(
            outcome["outputs"],
            [
                {"name": "bundle", "media-type": "application/onnx", "path": "outputs/bundle"},
                {"name": "again", "media-type": "text/csv", "digest": DIGEST, "size": 4},
            ],
        )
        self.assertEqual(outcome["metrics"], [{"name": "accuracy", "value": 0.9}])
        self.assertEqual(outcome["notes"], ["seed 1099511627783, 7"])
        self.assertEqual(outcome["messages"], [{"label": "fan-out", "body": '{"algorithm": "ridge"}'}])

    def test_one_script_may_have_several_stages(self) -> None:
        code, outcome, _ = self.start(
            """
            @septet.stage
            def train(call): call.note("train")
            @septet.stage("evaluate")
            def judge(call): call.note("evaluate")
            septet.main()
            """,
            invocation(stage="evaluate"),
        )
        self.assertEqual((code, outcome["notes"]), (0, ["evaluate"]))

    def test_ends_that_are_not_good_have_a_code_and_a_reason(self) -> None:
        for end, code, outcome, told in [
            ("raise septet.Rejected('no rows\\nat all')", 65, {"rejected": "no rows at all"}, "no rows at all"),
            (
                "raise septet.Retry(1.5, 'busy')", 75,
                {"retry": {"milliseconds": 1500, "reason": "busy"}}, "busy",
            ),
            (
                "{}['age']", 1,
                {"failed": "KeyError: 'age' (stage.py, line 4)"}, "KeyError: 'age' (stage.py, line 4)",
            ),
            (
                "import sys; sys.exit(0)", 1,
                {"failed": "the stage ended the program (sys.exit(0)) instead of returning"}, "sys.exit",
            ),
        ]:
            with self.subTest(end=end):
                body = f"\ndef train(call):\n    {end}\nseptet.main(train)\n"
                got = self.start(body, invocation())
                self.assertEqual(got[:2], (code, outcome))
                self.assertIn(told, got[2])
                self.assertTrue(got[2].startswith("septet: "))

    def test_what_is_wrong_is_one_line(self) -> None:
        stage = "\n@septet.stage\ndef train(call):\n    {}\nseptet.main()\n"
        for line, asked, kind, told in [
            ("call.bytes('tabel')", invocation(), "rejected", "train was given no input 'tabel': it has train"),
            ("call.bytes('train')", invocation(inputs=[]), "rejected", "no input 'train': it has none"),
            (
                "call.bytes('train')", invocation(inputs=[given("train", b"")] * 2), "rejected",
                "2 inputs 'train': ask for paths, tables or frames",
            ),
            (
                "call.bytes('train')", invocation(inputs=[given("train", b"", "inputs/gone")]), "rejected",
                "the file of input 'train' is missing: inputs/gone",
            ),
            (
                "call.bytes('train')", invocation(inputs=[given("train", b"", "../../etc/passwd")]), "rejected",
                "input 'train' is not below the working folder",
            ),
            (
                "call.bytes('train')", invocation(inputs=[given("train", b"", "/etc/passwd")]), "rejected",
                "input 'train' is not below the working folder",
            ),
            ("call.json('train')", invocation(), "rejected", "input 'train' is not JSON"),
            ("call.metric('f1', float('nan'))", invocation(), "failed", "metric 'f1' is nan"),
            ("call.metric('f1', 'high')", invocation(), "failed", "metric 'f1' is 'high', not a number"),
            ("call.metric('f1', 1); call.metric('f1', 1)", invocation(), "failed", "'f1' was said already"),
            ("call.write('a/b', b'')", invocation(), "failed", "output 'a/b' is badly named"),
            ("call.write('a', b''); call.write('a', b'')", invocation(), "failed", "'a' was written already"),
            ("call.write('a', object())", invocation(), "failed", "ONNX, never as a pickle"),
            ("call.write('a', [float('nan')])", invocation(), "failed", "output 'a' can't be written as JSON"),
            ("call.propose()", invocation(), "failed", "propose needs the model's name"),
            ("pass", "", "failed", "the invocation is not JSON"),
            ("pass", "[" * 100_000, "failed", "the invocation is not JSON"),
            ("pass", "[]", "failed", "the invocation is not an object of JSON"),
            ("pass", {"stage": "train"}, "failed", "the invocation has no 'inputs'"),
            ("pass", invocation(inputs=[1]), "failed", "input 0 of the invocation is not an object"),
            ("pass", invocation(inputs={}), "failed", "'inputs' of the invocation is not a list"),
            ("pass", invocation(seed="7"), "failed", "'seed' of the invocation is not a whole number"),
            ("pass", invocation(seed=True), "failed", "'seed' of the invocation is not a whole number"),
            ("pass", invocation(unit=-1), "failed", "'unit' of the invocation is negative"),
            ("pass", invocation(stage="infer"), "failed", "there is no stage 'infer' here"),
        ]:
            with self.subTest(line=line, told=told):
                code, outcome, last = self.start(stage.format(line), asked)
                self.assertEqual(code, 65 if kind == "rejected" else 1)
                self.assertEqual(list(outcome), [kind])
                self.assertIn(told, outcome[kind])
                self.assertEqual(last, f"septet: {outcome[kind]}")

    def test_no_invocation_is_one_line(self) -> None:
        code, _, told = self.start("def train(call): pass\nseptet.main(train)")
        self.assertEqual(code, 1)
        self.assertIn("there is no invocation.json in", told)

    def test_a_stage_that_is_no_stage_and_one_that_is_never_run(self) -> None:
        code, _, told = self.start("@septet.stage\ndef trian(call): pass\n", invocation())
        self.assertEqual(code, 1)
        self.assertIn("'trian' is no stage: give one of ingest, preprocess", told)
        _, outcome, told = self.start("@septet.stage\ndef train(call): pass\n", invocation())
        self.assertEqual((outcome, told), (None, "septet: no stage was run: end the script with septet.main()"))

    def test_deploy_proposes_what_the_invocation_says(self) -> None:
        champion = {"number": 3, "bundle": "b" * 64, "bundle-size": 9, "summary": {"format": 2}}
        aliases = [{"model": "m", "alias": "champion", "revision": 4, "version": champion}]
        evaluation = {"metrics": {"accuracy": 0.9}, "gate": {"verdict": "pass", "reasons": ["better", "by far"]}}
        body = "\ndef deploy(call):\n    call.note(f'{call.propose()} {call.champion.number}')\nseptet.main(deploy)\n"

        def proposed(parameters: dict[str, Any], evaluation: Any, bundle: str = DIGEST) -> Any:
            (self.folder / "inputs/01.json").write_text(json.dumps(evaluation))
            inputs = [{**given("bundle", b""), "digest": bundle}, given("evaluation", b"", "inputs/01.json")]
            asked = invocation(stage="deploy", inputs=inputs, parameters=parameters, aliases=aliases)
            code, outcome, told = self.start(body, asked)
            self.assertEqual((code, told), (0, ""))
            self.assertEqual(outcome["notes"][0], f"{outcome['proposals'][0]['change'] is not None} 3")
            return outcome["proposals"][0]

        first = proposed({"model": "m"}, evaluation)
        self.assertEqual((first["model"], first["bundle"]), ("m", DIGEST))
        self.assertEqual(first["summary"]["metrics"], {"accuracy": 0.9})
        self.assertEqual(
            first["change"], {"alias": "champion", "expected": "b" * 64, "reason": "better; by far"}
        )
        self.assertIsNone(proposed({}, {"gate": {"verdict": "fail"}})["change"])
        self.assertIsNone(proposed({}, [])["change"])
        self.assertEqual(proposed({"promote": True}, {})["change"]["expected"], "b" * 64)
        # The alias points there already.
        self.assertIsNone(proposed({"promote": True}, {}, "b" * 64)["change"])


if __name__ == "__main__":
    unittest.main()
