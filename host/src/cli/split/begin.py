class Wrong(Exception):
    """Why a script can't be taken apart, in a line."""


def span(node):
    """The lines of a statement: of one that has a body, those before it."""
    first = node.lineno
    if getattr(node, "decorator_list", None):
        first = node.decorator_list[0].lineno
        return first, node.lineno
    body = getattr(node, "body", None)
    if isinstance(body, list) and body:
        return first, max(first, body[0].lineno - 1) if body[0].lineno > first else first
    return first, getattr(node, "end_lineno", None) or first


def decoded(source):
    """The text of a script, by its own declaration."""
    if b"\0" in source[:4096] or b"\0" in source:
        raise Wrong("it is not a script of Python: it holds null bytes")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        text = source.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise Wrong(f"it is not a script of Python: {told(error)}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")


def told(error):
    return " ".join(str(error).split())[:200]


def parsed(text):
    """The tree, and the lines that are no Python and were left aside."""
    try:
        return ast.parse(text), []
    except SyntaxError as error:
        plain_text, aside = without_magics(text)
        if not aside:
            raise Wrong(where(error)) from None
    try:
        return ast.parse(plain_text), aside
    except SyntaxError as error:
        raise Wrong(where(error)) from None


def where(error):
    line = f"line {error.lineno}: " if error.lineno else ""
    return f"{line}it is not Python 3: {told(error.msg)}"


CELL = re.compile(r"^#\s*(In\s*\[|%%)")


def without_magics(text):
    """The text with what only a notebook understands as comments; the lines keep their numbers."""
    lines, aside, foreign = [], [], False
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.strip()
        indent = line[: len(line) - len(line.lstrip())]
        if CELL.match(bare):
            foreign = False
        if foreign:
            aside.append(number)
            lines.append("")
        elif bare.startswith("%%"):
            # Of these the rest of the cell is Python all the same.
            foreign = not re.match(r"%%(time|timeit|capture|prun|memit)\b", bare)
            aside.append(number)
            lines.append(indent + "pass")
        elif re.match(r"[%!?]", bare) or re.fullmatch(r"[\w.]+\?{1,2}", bare):
            aside.append(number)
            lines.append(indent + "pass")
        elif re.match(r"[\w, ]+=\s*[%!]", bare):
            aside.append(number)
            lines.append(indent + bare.split("=")[0].strip() + " = None")
        else:
            lines.append(line)
    return "\n".join(lines), aside
