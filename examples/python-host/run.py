"""Runs calls of Septet's stages, each on what those before it wrote, and keeps the registry.

    run.py STAGES CALLS.json OUT

`septet stages export --out STAGES` writes the components. An input in CALLS.json is a file, or
STAGE.OUTPUT of an earlier call. OUT gets blobs and the registry; each call prints a line of JSON.
"""
import json
import pathlib
import sys
from septet_host import BUNDLE, Host, sha256

TYPES = {".csv": "text/csv", ".jsonl": "application/x-ndjson", ".json": "application/json",
         ".arrow": "application/vnd.apache.arrow.file", ".septet": BUNDLE,
         ".parquet": "application/vnd.apache.parquet"}


def propose(registry, model, bundle_digest, summary, change):
    """The bundle becomes a version; the alias moves where it still points where it was seen."""
    versions = registry.setdefault(model, [])
    known = [version for version in versions if version["bundle_digest"] == bundle_digest]
    if not known:
        number = len(versions) + 1
        known = [{"number": number, "bundle_digest": bundle_digest, "summary": summary}]
        versions += known
    alias = change and f"{model}@{change['alias']}"
    if change and registry.get(alias, {}).get("bundle_digest") == change["expected"]:
        registry[alias] = known[0]


def main(stages, calls, out):
    calls, out = pathlib.Path(calls), pathlib.Path(out)
    (out / "blobs").mkdir(parents=True, exist_ok=True)
    kept = out / "registry.json"
    host = Host(stages, out / "blobs", json.loads(kept.read_text()) if kept.exists() else {})
    outputs = {}

    def artifact(name, given):
        path = calls.parent / given
        found = outputs.get(given) or host.put(path.read_bytes(), TYPES[path.suffix])
        return {**found, "name": name}

    for call in json.loads(calls.read_text()):
        files = [calls.parent / path for path in call.get("transforms", [])]
        call["transforms"] = {sha256(file.read_bytes()): file for file in files}
        if "component" in call:
            call["component"] = calls.parent / call["component"]
        call["inputs"] = [artifact(name, given) for name, some in call["inputs"].items()
                          for given in (some if isinstance(some, list) else [some])]
        done = host.call(**call)
        for output in done["outcome"]["outputs"]:
            outputs[f"{done['stage']}.{output['name']}"] = output
        for proposal in done["proposals"]:
            propose(host.registry, **proposal)
        kept.write_text(json.dumps(host.registry))
        print(json.dumps(done))


if __name__ == "__main__":
    main(*sys.argv[1:])
