def call(a, node):
    """What a call does, and what is known of what it gives."""
    func, name, owner = node.func, None, None
    if isinstance(func, ast.Attribute):
        owner, name = a.eval(func.value), func.attr
        path = f"{owner.path}.{name}" if owner.path else None
        value = owner.attrs.get(name) if owner.attrs else None
        if value is None and not owner.path and not owner.kinds:
            value = Value()
    else:
        value = a.eval(func)
        path = value.path
    args = [a.eval(arg) for arg in node.args]
    named = {keyword.arg: a.eval(keyword.value) for keyword in node.keywords}
    every = [*args, *named.values()]
    for given in every:
        if isinstance(given.node, (ast.FunctionDef, ast.AsyncFunctionDef)) and given.node not in a.called:
            a.follow(given.node, {}, None)
    if value is not None and value.node is not None:
        return own(a, value.node, owner, args, named)
    if path:
        return library(a, node, path, args, named)
    return method(a, node, owner or Value(), name or "", args, named)


def own(a, node, owner, args, named):
    """A function or a class of the script."""
    if isinstance(node, ast.ClassDef):
        attrs = instance(a, node)
        made = Value(node=None, attrs=attrs)
        bases = " ".join(a.eval(base).path or "" for base in node.bases)
        if re.search(r"Transformer|TransformerMixin", bases):
            made.kinds.add("shaper")
        elif re.search(r"Module|keras|BaseEstimator|ClassifierMixin|RegressorMixin|Model$", bases):
            made.kinds.add("model")
        a.called.add(node)
        if "__init__" in attrs and isinstance(attrs["__init__"].node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            own(a, attrs["__init__"].node, made, args, named)
        return made
    arguments = node.args
    names = [part.arg for part in (*getattr(arguments, "posonlyargs", []), *arguments.args)]
    bound = owner if owner is not None and owner.attrs is not None else None
    given = dict(zip(names[1:] if bound else names, args))
    given.update((name, value) for name, value in named.items() if name)
    return a.follow(node, given, bound)


def library(a, node, path, args, named):
    """A function or a class that was imported, or a builtin."""
    every = [*args, *named.values()]
    joined = Value()
    for value in every:
        joined = joined.plus(value)
    joined.made, joined.parts, joined.const, joined.node, joined.attrs = None, [], None, None, None
    kinds, last = joined.kinds, path.split(".")[-1]
    first = args[0] if args else next(iter(named.values()), Value())
    if path == "open":
        return Value({"file"}, const=first.const)
    if path in ("os.path.join", "pathlib.Path", "pathlib.PurePath", "str", "os.path.abspath", "os.fspath", "glob.glob"):
        texts = [value.const for value in args]
        return Value(const="/".join(texts) if texts and all(isinstance(text, str) for text in texts) else None)
    if path in ("os.environ.get", "os.getenv") and len(args) > 1:
        return Value(const=args[1].const)
    if path == "argparse.ArgumentParser":
        return Value({"parser"})
    if LOADS.fullmatch(path):
        stage = "evaluate" if a.context == "evaluate" else "infer"
        a.file(first, "read", a.event("predict", "loads a model", stage))
        return Value({"model"}, loaded=True, stage=stage)
    if READERS.fullmatch(path) or (path == "json.load" and not re.search("conf|param|setting", str(first.const))):
        words = ("filepath_or_buffer", "path", "path_or_buf", "io", "fname", "source", "name", "sql", "data_home")
        source = args[0] if args else next((named[word] for word in words if word in named), Value())
        a.file(source, "read", a.event("read", f"reads data by {last}"))
        value = Value(
            {"data"}, stage=a.found[-1], files=[source.const if isinstance(source.const, str) else str(node.lineno)]
        )
        if isinstance(named.get("return_X_y", Value()).const, bool) and named["return_X_y"].const:
            value.parts = [Value({"data"}, stage="ingest"), Value({"data"}, stage="ingest")]
            value.kinds.add("tuple")
        return value
    if SPLITTERS.fullmatch(path):
        return splitting(a, node, last, args, named, joined)
    if MONITORS.fullmatch(path):
        a.event("monitor", f"compares rows by {last}")
        return Value({"score"}, stage="monitor")
    if SCORES.fullmatch(path):
        stage = "monitor" if a.context == "monitor" else "evaluate"
        a.event("score", f"computes {last}" if "metrics" in path else f"judges by {last}", stage)
        aim(a, args[2:3] if last.startswith("cross_") else args[:0])
        for value in every:
            # Rows that are scored are test rows, whatever file they came from.
            if value.predicted:
                value.predicted["stage"] = stage
        return Value({"score"}, stage=stage)
    if TRAINERS.fullmatch(path):
        a.event("fit", f"trains by {path}")
        return Value({"model"}, made=record(a, node, path, named, "model"), stage="train")
    if SERVES.fullmatch(path):
        if "request" not in path or a.context != "infer":
            a.event("serve", f"serves by {path}")
        return Value({"app"} if last[:1].isupper() and "request" not in path else {"data"}, stage="infer")
    if SAVES.fullmatch(path):
        return saving(a, path, last, every, kinds, joined)
    if DEPLOYS.fullmatch(path) and (
        a.context == "deploy"
        or not path.startswith(("shutil", "os."))
        or any(re.search(r"model|\.(pkl|joblib|onnx|pt|h5)$", str(value.const)) for value in every)
    ):
        a.event("deploy", f"deploys by {last}")
        return Value(path=None, kinds={"registry"})
    if last in SEARCHES or last in CHAINS:
        return chain(a, node, path, last, args, named)
    if LEARNERS.fullmatch(path) and last[:1].isupper():
        return Value({"model"}, made=record(a, node, path, named, "model"), stage="train")
    if SHAPERS.fullmatch(path) or LEARNERS.fullmatch(path):
        if last[:1].isupper() and last not in ("DataFrame", "Series") and not path.startswith(("numpy", "pandas")):
            return Value({"shaper"}, made=record(a, node, path, named, "shaper"), stage="preprocess")
        if "predictions" in kinds and last not in ("DataFrame", "Series", "concat"):
            if not path.startswith("numpy") or a.context not in ("infer",):
                a.event("score", f"computes with predictions by {last}")
            return Value({"score"}, stage="evaluate")
        if last == "get_dummies":
            a.dummies = a.dummies or a.statement.lineno
        if "data" in kinds and "predictions" not in kinds and "model" not in kinds:
            a.shape(f"changes data by {last}")
        elif last in ("DataFrame", "Series") and a.context == "infer":
            joined.kinds.add("data")
        return joined
    if path in ("print", "display", "len", "isinstance", "type", "repr", "hasattr", "help", "id"):
        return Value({"look"})
    if LOOKS.fullmatch(path):
        return Value({"look"})
    if path in ("sum", "max", "min", "abs", "round", "sorted") and "predictions" in kinds:
        a.event("score", "computes with predictions")
        return Value({"score"}, stage="evaluate")
    if not hasattr(builtins, path) and kinds & {"data", "model", "predictions"} and not a.found:
        a.lost(f"calls {path}, whose code is not in this script"[:200])
    joined.kinds.discard("tuple")
    return joined


def splitting(a, node, last, args, named, joined):
    kind = "group" if "Group" in last else "time" if "Time" in last else "hash"
    size = named.get("test_size", Value()).const
    if a.split is None or a.split["size"] is None:
        a.split = {
            "kind": kind,
            "size": size if plain(size) and not isinstance(size, str) else None,
            "line": node.lineno,
            "by": last,
        }
    if last not in ("train_test_split", "random_split"):
        a.event("split", f"splits by {last}")
        return Value({"splitter"}, stage="preprocess")
    a.event("split", f"splits rows by {last}")
    parts = []
    for value in args:
        for side in ("train", "test"):
            part = value.plus(Value())
            part.side, part.stage, part.parts, part.made = side, "preprocess", [], None
            part.kinds = (part.kinds - {"tuple"}) | {"data", "split"}
            parts.append(part)
    if len(args) > 1:
        aim(a, args[1:2])
    joined.parts, joined.stage = parts, "preprocess"
    joined.kinds |= {"tuple", "split", "data"}
    return joined


def saving(a, path, last, every, kinds, joined):
    onnx = path.startswith(("skl2onnx", "onnxmltools"))
    if not onnx and not kinds & {"model", "shaper", "predictions", "data", "score"} and "model" not in path:
        return Value()
    target = next((value for value in every if isinstance(value.const, str)), None)
    if last == "dumps":
        return joined
    if onnx or kinds & {"model", "shaper"} or "model" in last:
        pickled = path.startswith(("joblib", "pickle", "cloudpickle", "dill"))
        what = "converts the model to ONNX" if onnx else f"saves the model by {path}" + (" (a pickle)" if pickled else "")
        stage = a.event("save", what, "train" if onnx else "deploy")
        joined.kinds = {"model"}
    elif "predictions" in kinds:
        stage = a.event("save", "writes predictions", "infer")
    elif "score" in kinds:
        stage = a.event("save", "writes metrics", "monitor" if joined.stage == "monitor" else "evaluate")
    else:
        stage = a.event("save", "writes data", joined.stage or "preprocess")
    a.file(target, "write", stage)
    return joined


def record(a, node, path, named, role):
    """What is known of an estimator that is made here."""
    key = (node.lineno, node.col_offset, path)
    if key not in a.estimators:
        known = {name: value.const for name, value in named.items() if name and plain(value.const)}
        nones = [k.arg for k in node.keywords if isinstance(k.value, ast.Constant) and k.value.value is None]
        a.estimators[key] = {
            "class": path.split(".")[-1],
            "module": path.rsplit(".", 1)[0],
            "line": node.lineno,
            "role": role,
            "parameters": {**known, **{name: None for name in nones if name}},
            "columns": None,
            "group": None,
            "unknown": sorted(name for name in named if name and name not in known and name not in nones),
        }
        a.event("fit" if role == "model" else "transform", f"makes {path.split('.')[-1]}")
    return a.estimators[key]


def plain(const):
    """Whether it is a short constant that JSON can say."""
    if isinstance(const, str):
        return len(const) < 200
    return isinstance(const, (int, float)) and abs(const) < 2**63


def members(value, seen=None):
    """The estimators within a step, a list of steps or a tuple of a name, an estimator and columns."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return []
    seen.add(id(value))
    found = [value.made] if value.made and "steps" not in value.made else []
    found += [made for made in (value.made or {}).get("steps", [])]
    for part in value.parts:
        found += members(part, seen)
    return found


def chain(a, node, path, last, args, named):
    every = [*args, *named.values()]
    steps = [made for value in every for made in members(value)]
    if last in ("ColumnTransformer", "make_column_transformer"):
        branches = args if last.startswith("make") else (args[0] if args else named.get("transformers", Value())).parts
        for branch in branches:
            inside = members(branch)
            group = "categories" if any(m["class"] in ("OneHotEncoder", "OrdinalEncoder") for m in inside) else "numbers"
            columns = next((part.const for part in reversed(branch.parts) if isinstance(part.const, list)), None)
            for made in inside:
                made["group"] = made["group"] or group
                made["columns"] = made["columns"] or ([str(c) for c in columns] if columns else None)
    if last in SEARCHES:
        a.event("fit", f"searches parameters by {last}")
    model = any(made["role"] == "model" for made in steps)
    made = {"class": last, "steps": steps, "role": "model" if model else "shaper", "line": node.lineno}
    return Value({"model"} if model or last in SEARCHES else {"shaper"}, made=made, stage="train" if model else "preprocess")


def aim(a, values):
    """The column that is predicted, if only one can be meant."""
    for value in values:
        if len(value.columns) == 1 and a.target is None:
            a.target = (next(iter(value.columns)), span(a.statement)[0])


def called(owner):
    made = owner.made or {}
    learner = next((step["class"] for step in made.get("steps", []) if step["role"] == "model"), None)
    return learner or made.get("class") or "the model"


def method(a, node, owner, name, args, named):
    """A method of a value that the script made."""
    every = [*args, *named.values()]
    kinds = set().union(*(value.kinds for value in every)) if every else set()
    given = args[0] if args else next(iter(named.values()), Value())
    data = {"data", "predictions"} & (owner.kinds | kinds)
    if "parser" in owner.kinds:
        if name == "add_argument" and isinstance(given.const, str):
            text = next((value.const for value in args if str(value.const).startswith("--")), given.const)
            a.arguments[text.lstrip("-").replace("-", "_")] = named.get("default", Value()).const
            return Value()
        return Value({"arguments"}) if name.startswith("parse") else Value()
    if "app" in owner.kinds:
        if name in ("run", "launch", "serve", "listen", "serve_forever"):
            a.event("serve", f"starts the server by .{name}()")
        return Value({"app"})
    if "registry" in owner.kinds:
        a.event("deploy", f"deploys by .{name}()")
        return Value({"registry"})
    if "file" in owner.kinds:
        if name in ("write", "writelines") and kinds & {"model", "score", "predictions", "data"}:
            a.file(
                owner,
                "write",
                a.event("save", "writes a file", "evaluate" if "score" in kinds else "deploy" if "model" in kinds else None),
            )
        return Value(const=owner.const, kinds={"file"})
    if name in ("write_text", "write_bytes") and kinds & {"model", "score", "predictions", "data"}:
        stage = given.stage if given.stage in ("monitor", "infer") else "evaluate" if "score" in kinds else "deploy"
        what = next(word for word in ("model", "score", "predictions", "data") if word in kinds)
        a.file(owner, "write", a.event("save", f"writes {what.replace('score', 'metrics')}", stage))
        return Value()
    if "splitter" in owner.kinds and name == "split":
        return Value({"data", "splitter"}, stage="preprocess")
    if name in PREDICTING or (name in ("run", "__call__") and owner.loaded):
        other = bool(given.files and owner.files and not given.files & owner.files)
        fresh = a.context != "evaluate" and (
            owner.loaded or given.stage == "infer" or (other and "split" not in given.kinds)
        )
        stage = a.event("predict", f"predicts by {called(owner)}", "infer" if fresh else "evaluate")
        value = Value({"predictions", "data"}, stage=stage, side=given.side, loaded=fresh, files=given.files)
        value.predicted = a.latest if fresh else None
        return value
    if "shaper" in owner.kinds and name in (*FITTING, *SHAPING):
        a.event("transform", f"{'fits' if name == 'fit' else 'applies'} {called(owner) if owner.made else 'a transformer'}")
        if name in ("fit", "set_output"):
            return owner
        return Value({"data"}, stage=a.found[-1], side=given.side, columns=given.columns)
    if name in FITTING and name != "fit_resample" and (owner.kinds & {"model"} or kinds & {"data"} or name == "backward"):
        a.event("fit", f"fits {called(owner)}")
        aim(a, args[1:2])
        owner.stage = "train"
        owner.files |= given.files
        return owner.plus(Value({"model"}, stage="train"))
    if name in SCORING and ("model" in owner.kinds or kinds & {"data"}):
        a.event("score", f"scores {called(owner)}")
        return Value({"score"}, stage="evaluate")
    if "model" in owner.kinds:
        if name in SAVING or name == "log_model":
            a.file(given, "write", a.event("save", f"saves the model by .{name}()", "deploy"))
        elif name in ("compile", "add", "set_params"):
            a.event("fit", f"sets up the model by .{name}()")
        elif name in SHAPING:
            a.event("transform", "applies the fitted preprocessing")
            return Value({"data"}, stage="preprocess", side=given.side)
        return owner.plus(Value({"look"}))
    if name in ("append", "extend", "add", "update", "insert") and not owner.kinds & {"data"}:
        owner.kinds |= kinds - {"tuple", "look"}
        return Value({"look"})
    if "predictions" in owner.kinds or "data" in owner.kinds:
        return of_frame(a, node, owner, name, args, named, given, kinds)
    if data and not a.found and name not in ("format", "join", "info", "debug", "warning", "get", "index", "write"):
        a.lost(f"calls .{name}() of a thing that is not known")
    joined = owner.plus(Value(kinds - {"tuple", "look"}))
    joined.const, joined.parts = owner.const if name in ("strip", "lower", "resolve", "as_posix") else None, []
    return joined


def of_frame(a, node, owner, name, args, named, given, kinds):
    """A method of a frame, an array or of predictions."""
    value = owner.plus(Value())
    value.parts, value.const, value.made = [], None, None
    value.kinds.discard("tuple")
    if WRITING.fullmatch(name):
        ours = "infer" if "predictions" in owner.kinds and (owner.loaded or a.context == "infer") else None
        stage = ours or ("evaluate" if "predictions" in owner.kinds else owner.stage or "preprocess")
        a.file(
            given,
            "write",
            a.event("save", f"writes {'predictions' if 'predictions' in owner.kinds else 'data'} by .{name}()", stage),
        )
        return Value()
    if name in LOOKING or "look" in owner.kinds and name in ("bar", "barh", "scatter", "sum", "any", "mean"):
        return Value({"look", "data"}, stage=owner.stage, columns=owner.columns, side=owner.side)
    if "predictions" in owner.kinds:
        if name in ("mean", "sum", "std", "argmax", "max", "min") and a.context != "infer":
            a.event("score", f"computes with predictions by .{name}()")
        return value
    if name == "fillna":
        how, what = None, node.args[0] if node.args else None
        text = ast.unparse(what) if what is not None else ""
        how = (
            "mean"
            if ".mean()" in text
            else "median"
            if ".median()" in text
            else "most-frequent"
            if ".mode(" in text
            else None
        )
        how = how or ("constant" if plain(given.const) else None)
        for column in owner.columns if len(owner.columns) == 1 else [""]:
            if how:
                filled = given.const if how == "constant" else None
                a.imputes.setdefault(column, {"column": column or None, "how": how, "value": filled, "line": node.lineno})
    if name == "pop" and isinstance(given.const, str):
        value.columns = {given.const}
        a.columns.setdefault(given.const, set())
    if name == "drop" and ("columns" in named or named.get("axis", Value()).const in (1, "columns")):
        names = named["columns"].const if "columns" in named else given.const
        names = names if isinstance(names, list) else [names]
        for column in names:
            if isinstance(column, str):
                a.drops.setdefault(column, node.lineno)
        value.columns = set()
    if name in SAME:
        value.columns = set(owner.columns)
        return value
    if name in (
        "mean",
        "median",
        "mode",
        "std",
        "min",
        "max",
        "sum",
        "count",
        "item",
        "tolist",
        "keys",
        "items",
        "iterrows",
        "any",
        "all",
    ):
        return value
    a.shape(f"changes data by .{name}()")
    value.stage = a.found[-1] if a.found else value.stage
    return value
