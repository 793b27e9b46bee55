"""Septet's stages inside a Python program: a host for any of the seven, by wasmtime-py. It acts
on nothing that a stage asks for: messages and proposals are the caller's, as in `run.py`."""
import functools, hashlib, json, pathlib, sys, threading, time
from wasmtime import Config, Engine, Store, WasiConfig
from wasmtime.component import Component, Linker, Record, ResourceHost, ResourceType, Variant
READER, WRITER, BUNDLE = 1, 2, "application/vnd.septet.model-bundle"
MEMORY, SECONDS = 4 << 30, 600  # What one instance may take.

sha256 = lambda content: hashlib.sha256(content).hexdigest()
def record(**fields):
    """A record of the contract: names have dashes in WIT, and underscores here."""
    value = Record()
    vars(value).update({name.replace("_", "-"): field for name, field in fields.items()})
    return value

def plain(value):
    if isinstance(value, Variant):
        return {value.tag: plain(value.payload)}
    if isinstance(value, Record):
        return {name.replace("-", "_"): plain(field) for name, field in vars(value).items()}
    return [plain(item) for item in value] if isinstance(value, list) else value

class Host:
    """What calls share: components, a folder of blobs, and the version that MODEL@ALIAS is."""
    def __init__(self, stages, blobs, registry):
        self.stages, self.blobs, self.registry = pathlib.Path(stages), pathlib.Path(blobs), registry
        (config := Config()).epoch_interruption = True
        self.engine, self.types = Engine(config), {}
        self.component = functools.cache(lambda path: Component.from_file(self.engine, str(path)))
        threading.Thread(target=self.tick, daemon=True).start()

    def tick(self):
        while not time.sleep(1):
            self.engine.increment_epoch()

    def put(self, content, media_type):
        digest = sha256(content)
        (self.blobs / digest).write_bytes(content)
        self.types.setdefault(digest, media_type)
        return {"digest": digest, "size": len(content), "media_type": media_type}

    def call(self, stage, inputs, parameters, seed=0, transforms=None, component=None):
        """One call. An input is what `put` gave, and a name; transforms are files by digest."""
        call = Call(self, inputs, parameters, transforms or {})
        run = call.instance(component or self.stages / f"{stage}.wasm", "pipeline/stage")
        text = json.dumps(parameters, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        gave = run("run", record(inputs=[record(**i) for i in inputs], parameters=text, seed=seed))
        if isinstance(gave, Variant):
            raise RuntimeError(f"{stage}: {json.dumps(plain(gave))}")
        return {"stage": stage, "outcome": plain(gave), **call.effects}

class Call:
    """The capabilities of one call: what it may see, and what it asked for. Of a result,
    wasmtime-py wants the tag, `Variant("ok", …)`, only where types can't tell ok from err."""
    def __init__(self, host, inputs, parameters, transforms):
        self.host, self.inputs, self.model = host, inputs, parameters.get("model")
        self.seen, self.effects = {i["digest"] for i in inputs}, {"messages": [], "proposals": []}
        self.transforms, self.handles, self.loaded = transforms, {}, {}

    def own(self, kind, value):
        self.handles[number := max(self.handles, default=0) + 1] = value
        return ResourceHost.own(number, kind)

    def list(self, _, prefix, after, limit):
        names, entries = [i["name"] for i in self.inputs], []
        for at, i in enumerate(self.inputs):
            nth = f"/{names[:at].count(i['name']):05}" if names.count(i["name"]) > 1 else ""
            entries.append(record(key=i["name"] + nth, size=i["size"], digest=i["digest"]))
        found = [e for e in entries if e.key.startswith(prefix) and e.key > (after or "")]
        return sorted(found, key=lambda entry: entry.key)[:min(limit, 1000)]

    def open(self, _, digest):
        if digest not in self.seen:
            return Variant("access-denied")
        content = (self.host.blobs / digest).read_bytes()
        kind = self.host.types.get(digest, BUNDLE)
        info = record(size=len(content), digest=digest, media_type=kind)
        return self.own(READER, (info, content))

    def finish(self, kind, content):
        written = self.host.put(bytes(content), kind)
        self.seen.add(written["digest"])
        return record(**written)

    def alias(self, _, model, alias):
        if model != self.model:
            return Variant("err", None)
        version = self.host.registry.get(f"{model}@{alias}")
        self.seen.update([version["bundle_digest"]] if version else [])
        return Variant("ok", version and record(**version))

    def predict(self, _, digest, batch):
        if digest not in self.seen:
            return Variant("access-denied")
        if digest not in self.loaded:
            model = self.instance(self.host.stages / "infer.wasm", "pipeline/predictor")
            size = (self.host.blobs / digest).stat().st_size
            bundle = record(name="bundle", digest=digest, size=size, media_type=BUNDLE)
            if isinstance(failed := model("load", bundle), Variant):
                return Variant("other", failed.payload)
            self.loaded[digest] = model
        answer = self.loaded[digest]("predict", batch)
        usable = not isinstance(answer, Variant) or answer.tag == "rejected"
        return answer if usable else Variant("other", answer.payload)

    def apply(self, _, digest, batch):
        if digest not in self.transforms:
            return Variant("access-denied")
        # A fresh instance for each batch: a transform keeps nothing.
        answer = self.instance(self.transforms[digest], "transform/transform")("apply", batch)
        return Variant("rejected", str(plain(answer))) if isinstance(answer, Variant) else answer

    def linker(self):
        (linker := Linker(self.host.engine)).add_wasip2()
        of = lambda store, handle: self.handles[handle.to_host(store).rep]
        drop, ok = lambda _, number: self.handles.pop(number, None), lambda _: Variant("ok")
        messages, proposals = self.effects.values()
        interfaces = {"blob-list": {"list": self.list}, "blob-read": {
            "[static]reader.open": self.open,
            "[method]reader.info": lambda store, h: of(store, h)[0],
            "[method]reader.read": lambda store, h, at, size: of(store, h)[1][at:at + size],
        }, "blob-write": {
            "[static]writer.create": lambda _, kind: self.own(WRITER, (kind, bytearray())),
            "[method]writer.write": lambda store, h, more: of(store, h)[1].extend(more),
            "[method]writer.finish": lambda store, h: self.finish(*of(store, h)),
        }, "queue": {
            "send": lambda _, to, body: ok(messages.append({"label": to, "body": body.hex()})),
        }, "log": {
            "write": lambda _, *said: print(*said, file=sys.stderr), "progress": lambda *_: None,
        }, "registry-propose": {"propose": lambda _, asked: ok(proposals.append(plain(asked)))},
        "registry-read": {"alias": self.alias}, "models": {"predict": self.predict},
        "transforms": {"apply": self.apply}}
        for name, functions in interfaces.items():
            with linker.root() as root, root.add_instance(f"septet:capability/{name}@0.1.0") as to:
                if kind := {"blob-read": READER, "blob-write": WRITER}.get(name):
                    to.add_resource(("reader", "writer")[kind - 1], ResourceType.host(kind), drop)
                for function, body in functions.items():
                    to.add_func(function, body)
        return linker

    def instance(self, path, interface):
        store = Store(self.host.engine)
        store.set_wasi(WasiConfig())
        store.set_limits(memory_size=MEMORY)
        store.set_epoch_deadline(SECONDS)
        instance = self.linker().instantiate(store, self.host.component(path))
        parent = instance.get_export_index(store, f"septet:{interface}@0.1.0")
        return lambda name, *arguments: instance.get_func(
            store, instance.get_export_index(store, name, parent))(store, *arguments)
