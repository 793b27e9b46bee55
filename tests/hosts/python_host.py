"""A host for any stage in wasmtime-py, with the capabilities written in Python.

    python_host.py CASE OUT

CASE/call.json names the component, the invocation and what its capabilities may answer;
CASE/blobs/ holds the inputs by digest. OUT/outcome.json gets what the stage answered,
OUT/effects.json the messages and proposals, OUT/blobs/ what it wrote.

It shares no code with the host in Rust: it shows what the contract alone promises.
"""

import hashlib
import json
import pathlib
import sys

from wasmtime import Config, Engine, Store, WasiConfig
from wasmtime.component import Component, Linker, Record, ResourceHost, ResourceType, Variant

READER, WRITER = 1, 2


def record(**fields):
    """A record of the contract; its names have dashes where Python's have underscores."""
    value = Record()
    for name, field in fields.items():
        setattr(value, name.replace("_", "-"), field)
    return value


def artifact(described):
    return record(
        name=described["name"],
        digest=described["digest"],
        size=described["size"],
        media_type=described["media_type"],
    )


class Host:
    """One call of one stage, and the components that it asks for."""

    def __init__(self, case, out):
        self.call = json.loads((case / "call.json").read_text())
        self.case, self.out = case, out
        self.media_types = {i["digest"]: i["media_type"] for i in self.call["inputs"]}
        self.engine = Engine(Config())
        self.readers, self.writers, self.next = {}, {}, 1
        self.messages, self.proposals = [], []
        self.predictors, self.transforms = {}, {}

    # Blobs.

    def path(self, digest):
        for folder in (self.out, self.case):
            path = folder / "blobs" / digest
            if path.is_file():
                return path
        return None

    def resource(self, table, value, kind):
        self.next += 1
        table[self.next] = value
        return ResourceHost.own(self.next, kind)

    def open(self, _store, digest):
        path = self.path(digest) if len(digest) == 64 and digest.isalnum() else None
        if path is None:
            return Variant("access-denied")
        return self.resource(self.readers, (digest, path.read_bytes()), READER)

    def info(self, store, reader):
        digest, content = self.readers[reader.to_host(store).rep]
        return self.described(content, self.media_types.get(digest, "application/octet-stream"))

    def read(self, store, reader, offset, length):
        _, content = self.readers[reader.to_host(store).rep]
        return content[offset : offset + length]

    def create(self, _store, media_type):
        return self.resource(self.writers, (media_type, bytearray()), WRITER)

    def write(self, store, writer, content):
        self.writers[writer.to_host(store).rep][1].extend(content)

    def finish(self, store, writer):
        media_type, content = self.writers[writer.to_host(store).rep]
        info = self.described(bytes(content), media_type)
        (self.out / "blobs" / info.digest).write_bytes(content)
        self.media_types[info.digest] = media_type
        return info

    @staticmethod
    def described(content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        return record(size=len(content), digest=digest, media_type=media_type)

    # Messages and the registry.

    def send(self, _store, label, body):
        self.messages.append({"label": label, "body": body.hex()})
        return Variant("ok")

    def alias(self, _store, model, alias):
        for pinned in self.call.get("aliases", []):
            if (pinned["model"], pinned["alias"]) == (model, alias):
                version = pinned["version"]
                return Variant("ok", version and record(
                    number=version["number"],
                    bundle_digest=version["bundle"],
                    summary=version["summary"],
                ))
        return Variant("err", None)

    def propose(self, _store, proposal):
        change = proposal.change
        self.proposals.append({
            "model": proposal.model,
            "bundle": getattr(proposal, "bundle-digest"),
            "summary": proposal.summary,
            "change": change and {
                "alias": change.alias,
                "expected": change.expected,
                "reason": change.reason,
            },
        })
        return Variant("ok")

    # Other components. Each has a store of its own, as in any host.

    def apply(self, _store, digest, batch):
        if digest not in self.call.get("transforms", {}):
            return Variant("access-denied")
        if digest not in self.transforms:
            self.transforms[digest] = self.exports(
                self.call["transforms"][digest], "septet:transform/transform@0.1.0", "apply"
            )
        answer = self.transforms[digest]["apply"](batch)
        if isinstance(answer, Record):
            return answer
        detail = answer.payload
        reason = detail if isinstance(detail, str) else detail.__dict__
        return Variant("rejected", f"{answer.tag}: {reason}")

    def predict(self, _store, digest, batch):
        path = self.path(digest)
        if path is None:
            return Variant("access-denied")
        if digest not in self.predictors:
            predictor = self.exports(
                self.call["infer"], "septet:pipeline/predictor@0.1.0", "load", "predict"
            )
            loaded = predictor["load"](record(
                name="bundle",
                digest=digest,
                size=path.stat().st_size,
                media_type=self.media_types.get(digest, "application/vnd.septet.model-bundle"),
            ))
            if isinstance(loaded, Variant):
                return Variant("other", loaded.payload)
            self.predictors[digest] = predictor
        answer = self.predictors[digest]["predict"](batch)
        if isinstance(answer, Record):
            return answer
        return Variant("rejected" if answer.tag == "rejected" else "other", answer.payload)

    # Instances.

    def linker(self):
        linker = Linker(self.engine)
        linker.add_wasip2()
        functions = {
            "blob-list": {"list": lambda *_: Variant("access-denied")},
            "blob-read": {
                "[static]reader.open": self.open,
                "[method]reader.info": self.info,
                "[method]reader.read": self.read,
            },
            "blob-write": {
                "[static]writer.create": self.create,
                "[method]writer.write": self.write,
                "[method]writer.finish": self.finish,
            },
            "queue": {"send": self.send},
            "registry-read": {"alias": self.alias},
            "registry-propose": {"propose": self.propose},
            "transforms": {"apply": self.apply},
            "models": {"predict": self.predict},
            "log": {"write": lambda *_: None, "progress": lambda *_: None},
        }
        resources = {
            "blob-read": ("reader", READER, self.readers),
            "blob-write": ("writer", WRITER, self.writers),
        }
        with linker.root() as root:
            for interface, members in functions.items():
                with root.add_instance(f"septet:capability/{interface}@0.1.0") as instance:
                    if interface in resources:
                        name, kind, table = resources[interface]
                        drop = lambda _store, rep, table=table: table.pop(rep, None)
                        instance.add_resource(name, ResourceType.host(kind), drop)
                    for name, function in members.items():
                        instance.add_func(name, function)
        return linker

    def exports(self, path, interface, *names):
        """Functions of a fresh instance of the component."""
        component = Component.from_file(self.engine, path)
        store = Store(self.engine)
        store.set_wasi(WasiConfig())
        instance = self.linker().instantiate(store, component)
        parent = instance.get_export_index(store, interface)

        def bound(name):
            index = instance.get_export_index(store, name, parent)
            function = instance.get_func(store, index)

            def call(*arguments):
                answer = function(store, *arguments)
                if hasattr(function, "post_return"):
                    function.post_return(store)
                return answer

            return call

        return {name: bound(name) for name in names}

    def run(self):
        stage = self.exports(self.call["component"], "septet:pipeline/stage@0.1.0", "run")
        answer = stage["run"](record(
            inputs=[artifact(described) for described in self.call["inputs"]],
            parameters=self.call["parameters"],
            seed=int(self.call["seed"]),
        ))
        if isinstance(answer, Variant):
            detail = answer.payload
            return {answer.tag: detail if isinstance(detail, str) else detail.__dict__}
        return {
            "outputs": [
                {
                    "name": output.name,
                    "digest": output.digest,
                    "size": output.size,
                    "media_type": getattr(output, "media-type"),
                }
                for output in answer.outputs
            ],
            "metrics": [{"name": m.name, "value": m.value} for m in answer.metrics],
            "notes": answer.notes,
        }


def main():
    case, out = map(pathlib.Path, sys.argv[1:])
    (out / "blobs").mkdir(parents=True, exist_ok=True)
    host = Host(case, out)
    outcome = host.run()
    (out / "outcome.json").write_text(json.dumps(outcome))
    effects = {"messages": host.messages, "proposals": host.proposals}
    (out / "effects.json").write_text(json.dumps(effects))


if __name__ == "__main__":
    main()
