class Value:
    """What is known of a value without running anything."""

    def __init__(self, kinds=(), **known):
        self.kinds = set(kinds)
        self.const = known.get("const")
        self.path = known.get("path")  # the dotted name of something imported
        self.made = known.get("made")  # the estimator's record
        self.parts = known.get("parts", [])  # estimators within, or elements of a tuple
        self.columns = set(known.get("columns", ()))
        self.stage = known.get("stage")
        self.side = known.get("side")
        self.node = known.get("node")  # a function or class of the script
        self.attrs = known.get("attrs")
        self.loaded = known.get("loaded", False)
        self.files = set(known.get("files", ()))
        self.predicted = known.get("predicted")  # the event of a prediction of other rows than were split

    def plus(self, other):
        made = Value(self.kinds | other.kinds, const=self.const, path=None, made=self.made or other.made)
        made.parts, made.columns = self.parts, self.columns | other.columns
        made.stage, made.side = other.stage or self.stage, self.side or other.side
        made.node, made.attrs = self.node or other.node, self.attrs or other.attrs
        made.loaded, made.files = self.loaded or other.loaded, self.files | other.files
        made.predicted = self.predicted or other.predicted
        return made


class Analysis(ast.NodeVisitor):
    """Follows the script from the first line to the last, into the functions that it calls."""

    STEPS = 60_000
    DEPTH = 12

    def __init__(self, text):
        self.lines = text.splitlines()
        self.events, self.flows, self.files, self.unplaced = {}, {}, {}, {}
        self.columns, self.estimators, self.imports = {}, {}, {}
        self.imputes, self.drops, self.split, self.target, self.dummies = {}, {}, None, None, None
        self.arguments, self.globals = {}, {}
        self.scopes, self.stack, self.context = [self.globals], [], None
        self.statement, self.found, self.used, self.called, self.steps = None, [], {}, set(), 0
        self.latest, self.work = None, {}

    # What is found.

    def event(self, step, what, stage=None):
        stage = stage or STAGE[step]
        if self.context in ("monitor", "deploy") and step not in ("serve",):
            stage = self.context
        elif self.context == "ingest" and step == "transform":
            stage = "ingest"
        elif self.context == "infer" and step in ("read", "transform", "predict", "score"):
            stage = "infer"
        first, last = span(self.statement)
        key = (first, stage, what)
        if key not in self.events:
            names = {"stage": stage, "step": step, "line": first, "end": last, "what": what}
            within = self.stack[-1] if self.stack else None
            self.events[key] = {**names, "within": within}
        self.latest = self.events[key]
        for within in self.stack:
            self.work.setdefault(within, set()).add(stage)
        self.found.append(stage)
        return stage

    def within(self, node):
        """A function as plain values; it is `alone` where it does the work of one stage and calls none that does another's."""
        if node is None:
            return None
        alone = len(self.work.get(node, ())) == 1
        return {"name": node.name, "line": span(node)[0], "end": node.end_lineno, "alone": alone}

    def file(self, value, mode, stage):
        const = value.const if value is not None else None
        for name in const if isinstance(const, list) else [const]:
            if not isinstance(name, str) or not 0 < len(name) < 400:
                continue
            self.files.setdefault(
                (name, mode), {"file": name, "mode": mode, "stage": stage, "line": span(self.statement)[0]}
            )

    def lost(self, why):
        first, last = span(self.statement)
        text = self.lines[first - 1].strip()[:100] if first <= len(self.lines) else ""
        self.unplaced.setdefault(first, {"line": first, "end": last, "text": text, "why": why})

    # Names.

    def load(self, name):
        for scope in (self.scopes[-1], self.globals):
            if name in scope:
                return scope[name]
        return None

    def store(self, target, value):
        if isinstance(target, ast.Name):
            if value.stage is None and self.found:
                value.stage = self.found[-1]
            known = self.scopes[-1].get(target.id)
            self.scopes[-1][target.id] = value if known is None or len(self.stack) < 1 else value
        elif isinstance(target, (ast.Tuple, ast.List)):
            parts = value.parts if len(value.parts) == len(target.elts) and "tuple" in value.kinds else None
            for at, element in enumerate(target.elts):
                self.store(element, parts[at] if parts else value.plus(Value()))
        elif isinstance(target, ast.Starred):
            self.store(target.value, value)
        elif isinstance(target, ast.Attribute):
            owner = self.eval(target.value)
            if owner.attrs is not None:
                known = owner.attrs.get(target.attr)
                owner.attrs[target.attr] = value.plus(known) if known and not value.kinds else value
        elif isinstance(target, ast.Subscript):
            owner = self.eval(target.value)
            self.column(owner, target.slice)
            if "data" in owner.kinds:
                self.shape("sets a column")
                owner.stage = self.found[-1] if self.found else owner.stage

    def column(self, owner, index):
        value = self.eval(index)
        names = value.const if isinstance(value.const, list) else [value.const]
        names = {name for name in names if isinstance(name, str)}
        if "data" in owner.kinds and names:
            for name in names:
                self.columns.setdefault(name, set())
            return names
        return set()

    def shape(self, what):
        if not any(stage in ("train", "evaluate", "infer", "monitor", "deploy") for stage in self.found):
            self.event("transform", what)

    # Statements.

    def body(self, statements):
        for statement in statements:
            before = (self.statement, self.found, self.used)
            self.statement, self.found, self.used = statement, [], {}
            self.steps += 1
            if self.steps > self.STEPS:
                raise Wrong("the script is too large to be followed: split a part of it")
            self.visit(statement)
            self.flowed()
            self.statement, self.found, self.used = before

    def flowed(self):
        stage = self.found[-1] if self.found else None
        for name, (kinds, made_by) in self.used.items():
            if (
                stage
                and made_by
                and made_by != stage
                and (made_by, stage) != ("infer", "evaluate")
                and kinds & {"data", "model", "predictions", "score"}
            ):
                self.flows.setdefault((made_by, stage), {})[name] = None
        if stage:
            for name in [name for name, seen in self.columns.items() if not seen]:
                self.columns[name].add(stage)

    def visit_Import(self, node):
        for alias in node.names:
            self.imports.setdefault(alias.name.split(".")[0], node.lineno)
            name = alias.asname or alias.name.split(".")[0]
            self.scopes[-1][name] = Value(path=alias.name if alias.asname else name)

    def visit_ImportFrom(self, node):
        module = "." * node.level + (node.module or "")
        self.imports.setdefault(module.lstrip(".").split(".")[0] or module, node.lineno)
        for alias in node.names:
            self.scopes[-1][alias.asname or alias.name] = Value(path=f"{module.lstrip('.')}.{alias.name}")

    def visit_FunctionDef(self, node):
        self.scopes[-1][node.name] = Value(node=node)
        for decorator in node.decorator_list:
            call = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(call, ast.Attribute) and call.attr in ROUTES:
                self.event("serve", f"serves requests by {node.name}()")
                self.context, before = "infer", self.context
                self.follow(node, {}, None)
                self.context = before

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node):
        self.scopes[-1][node.name] = Value(node=node)

    def visit_Return(self, node):
        value = self.eval(node.value) if node.value else Value()
        scope = self.scopes[-1]
        scope["return"] = scope["return"].plus(value) if "return" in scope and not value.parts else value

    def visit_Assign(self, node):
        value = self.eval(node.value)
        names = [part.id for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Name)]
        sides = [
            "test" if re.search("test|valid|holdout", name, re.I) else "train"
            for name in names
            if re.search("train|test|valid|holdout", name, re.I)
        ]
        if sides and "data" in value.kinds and not value.side and "split" not in value.kinds and self.cuts(node.value):
            self.event("split", "cuts rows for training and test")
            value.side = sides[0]
        elif (
            "data" in value.kinds
            and not self.found
            and isinstance(node.value, (ast.Subscript, ast.BinOp, ast.Compare, ast.ListComp))
        ):
            self.shape("takes columns or rows")
        if names and re.search(r"^(y|target|labels?)$", names[0], re.I) and len(value.columns) == 1:
            self.target = self.target or (next(iter(value.columns)), span(node)[0])
        for target in node.targets:
            self.store(target, value)

    @staticmethod
    def cuts(node):
        """Whether an expression takes some rows of a frame: by a mask, a range, a query, or the rows that are left."""
        if isinstance(node, ast.Subscript):
            parts = node.slice.elts if isinstance(node.slice, ast.List) else [node.slice]
            return not all(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in parts)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            rest = (
                node.func.attr == "drop"
                and node.args
                and any(isinstance(part, ast.Attribute) and part.attr == "index" for part in ast.walk(node.args[0]))
            )
            return node.func.attr in ("sample", "query") or bool(rest)
        return False

    def visit_AnnAssign(self, node):
        if node.value:
            self.store(node.target, self.eval(node.value))

    def visit_AugAssign(self, node):
        value = self.eval(node.value)
        if isinstance(node.target, ast.Name) and self.load(node.target.id):
            value = self.load(node.target.id).plus(value)
        self.store(node.target, value)

    def visit_Expr(self, node):
        value = self.eval(node.value)
        if not self.found and value.kinds & {"data", "model"} and "look" not in value.kinds:
            self.lost("what it does with the data is not known")

    def visit_For(self, node):
        value = self.eval(node.iter)
        element = value.plus(Value())
        # A list of texts stands for each of them: it may be columns or files.
        element.const = value.const if isinstance(value.const, list) else None
        if "splitter" in value.kinds:
            element = Value({"data"})
        self.store(node.target, element)
        self.body(node.body)
        self.body(node.orelse)

    visit_AsyncFor = visit_For

    def visit_If(self, node):
        self.eval(node.test)
        self.body(node.body)
        self.body(node.orelse)

    def visit_While(self, node):
        self.visit_If(node)

    def visit_With(self, node):
        for item in node.items:
            value = self.eval(item.context_expr)
            if item.optional_vars:
                self.store(item.optional_vars, value)
        self.body(node.body)

    visit_AsyncWith = visit_With

    def visit_Try(self, node):
        for part in (node.body, *(handler.body for handler in node.handlers), node.orelse, node.finalbody):
            self.body(part)

    visit_TryStar = visit_Try

    def visit_Match(self, node):
        self.eval(node.subject)
        for case in node.cases:
            self.body(case.body)

    def generic_visit(self, node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.eval(child)

    # Expressions.

    def eval(self, node):
        self.steps += 1
        if self.steps > self.STEPS:
            raise Wrong("the script is too large to be followed: split a part of it")
        if node is None:
            return Value()
        method = getattr(self, "on_" + type(node).__name__, None)
        if method:
            return method(node)
        value = Value()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.comprehension):
                over = self.eval(child.iter)
                element = over.plus(Value())
                element.const = over.const if isinstance(over.const, list) else None
                self.store(child.target, element)
                for test in child.ifs:
                    self.eval(test)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                value = value.plus(self.eval(child))
        value.const, value.parts, value.made = None, [], None
        value.kinds.discard("tuple")
        if isinstance(node, (ast.BinOp, ast.Compare)) and "predictions" in value.kinds:
            self.event("score", "compares predictions")
            value.kinds = {"score"}
        return value

    def on_Constant(self, node):
        return Value(const=node.value)

    def on_Name(self, node):
        value = self.load(node.id)
        if value is None:
            return Value(path=node.id)
        self.used.setdefault(node.id, (set(value.kinds), value.stage))
        return value

    def on_Tuple(self, node):
        parts = [self.eval(element) for element in node.elts]
        value = Value()
        for part in parts:
            value = value.plus(part)
        consts = []
        for element, part in zip(node.elts, parts):
            consts += part.const if isinstance(element, ast.Starred) and isinstance(part.const, list) else [part.const]
        value.const = consts if all(const is not None for const in consts) and len(consts) <= 5_000 else None
        value.parts, value.made = parts, None
        value.kinds.add("tuple")
        return value

    on_List = on_Set = on_Tuple

    def on_Starred(self, node):
        return self.eval(node.value)

    def on_Dict(self, node):
        value = Value()
        for item in node.values:
            value = value.plus(self.eval(item))
        keys = [key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
        value.made, value.parts, value.attrs = None, [], None
        value.kinds.discard("tuple")
        value.const = keys if keys and len(keys) == len(node.keys) else None
        return value

    def on_JoinedStr(self, node):
        text = ""
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += str(part.value)
            else:
                value = self.eval(part.value)
                text += str(value.const) if plain(value.const) else "*"
        return Value(const=text if len(text) <= 5_000 else None)

    def on_UnaryOp(self, node):
        value = self.eval(node.operand).plus(Value())
        number = isinstance(value.const, (int, float)) and not isinstance(value.const, bool)
        value.const = -value.const if number and isinstance(node.op, ast.USub) else None
        return value

    def on_BinOp(self, node):
        left, right = self.eval(node.left), self.eval(node.right)
        joined = left.plus(right)
        joined.made, joined.parts = None, []
        texts = isinstance(left.const, str) and isinstance(right.const, str)
        lists = isinstance(left.const, list) and isinstance(right.const, list)
        joined.const = None
        if isinstance(node.op, ast.Add) and (texts or lists):
            joined.const = left.const + right.const
        elif isinstance(node.op, ast.Div) and isinstance(right.const, str):
            joined.const = (left.const if texts else "*").rstrip("/") + "/" + right.const
        elif "predictions" in joined.kinds and self.context != "infer":
            self.event("score", "compares predictions")
            joined.kinds = {"score"}
        if isinstance(joined.const, (str, list)) and len(joined.const) > 5_000:
            joined.const = None
        return joined

    def on_Lambda(self, node):
        return Value(node=None)

    def on_NamedExpr(self, node):
        value = self.eval(node.value)
        self.store(node.target, value)
        return value

    def on_Attribute(self, node):
        owner = self.eval(node.value)
        if owner.attrs is not None and node.attr in owner.attrs:
            value = owner.attrs[node.attr]
            self.used[ast.unparse(node)[:60]] = (set(value.kinds), value.stage)
            return value
        if "arguments" in owner.kinds:
            return Value(const=self.arguments.get(node.attr))
        if owner.path:
            return Value(path=f"{owner.path}.{node.attr}")
        if "data" in owner.kinds and node.attr in LOOKING:
            return Value(owner.kinds | {"look"}, columns=owner.columns, stage=owner.stage, side=owner.side)
        return owner.plus(Value())

    def on_Subscript(self, node):
        owner = self.eval(node.value)
        names = self.column(owner, node.slice)
        value = owner.plus(Value())
        value.made, value.parts, value.const = owner.made, [], None
        if "tuple" in owner.kinds and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
            at = node.slice.value
            return owner.parts[at] if -len(owner.parts) <= at < len(owner.parts) else value
        if names:
            value.columns = names
        return value

    def on_Call(self, node):
        return call(self, node)

    # Functions of the script.

    def follow(self, node, given, owner):
        """The value that a function of the script returns for these arguments."""
        self.called.add(node)
        if node in self.stack or len(self.stack) >= self.DEPTH:
            return Value()
        scope = {}
        arguments = node.args
        names = [a.arg for a in (*getattr(arguments, "posonlyargs", []), *arguments.args, *arguments.kwonlyargs)]
        if owner is not None and names:
            scope[names[0]] = owner
        for name in names:
            if name in scope:
                continue
            kinds = {"data"} if DATA_NAMES.match(name) else {"model"} if MODEL_NAMES.match(name) else ()
            scope[name] = given.get(name) or Value(kinds)
        placed = [a.arg for a in (*getattr(arguments, "posonlyargs", []), *arguments.args)]
        pairs = [*zip(reversed(placed), reversed(arguments.defaults))]
        pairs += zip((a.arg for a in arguments.kwonlyargs), arguments.kw_defaults)
        for name, default in pairs:
            if name not in given and isinstance(default, ast.Constant) and not scope[name].kinds:
                scope[name].const = default.value
        context = next((stage for stage, words in CONTEXTS if words.search(node.name)), None)
        before = (self.context, self.statement, self.found, self.used)
        if context and not (context in ("infer", "evaluate") and self.context):
            self.context = context
        self.stack.append(node)
        self.scopes.append(scope)
        self.body(node.body)
        self.scopes.pop()
        self.stack.pop()
        self.context, self.statement, self.found, self.used = before
        value = scope.get("return") or Value()
        if context == "monitor":
            value.kinds, value.stage = {"score"}, "monitor"
        return value

    def rest(self):
        """Functions and methods that nothing called."""

        def all_of(body, owner):
            for node in body:
                self.statement, self.found, self.used = node, [], {}
                if isinstance(node, ast.ClassDef):
                    all_of(node.body, Value(node=node, attrs=instance(self, node)))
                elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node not in self.called:
                    self.follow(node, {}, owner)

        all_of(self.tree.body, None)


def instance(analysis, node):
    """The attributes of a class of the script, shared by its instances."""
    if not hasattr(node, "septet_attrs"):
        node.septet_attrs = {}
        for part in node.body:
            if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
                node.septet_attrs[part.name] = Value(node=part)
            elif isinstance(part, (ast.Assign, ast.AnnAssign)) and part.value is not None:
                targets = part.targets if isinstance(part, ast.Assign) else [part.target]
                for target in targets:
                    if isinstance(target, ast.Name):
                        node.septet_attrs[target.id] = analysis.eval(part.value)
    return node.septet_attrs
