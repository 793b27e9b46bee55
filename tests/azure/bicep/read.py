"""Reads Bicep files by their grammar and holds what can be held without the compiler: modules get the
parameters they declare, all of them, and outputs that are asked for are there."""

import pathlib
import re
import sys

import tree_sitter
import tree_sitter_bicep

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bicep.language()))


def walk(node):
    yield node
    for child in node.children:
        yield from walk(child)


def parse(file):
    return PARSER.parse(file.read_bytes()).root_node


def declared(file):
    """Names of a file's parameters, which of them have no default, and of its outputs."""
    text = file.read_text()
    found = re.findall(r"^param (\w+) [^=\n]+?( = .*)?$", text, re.M)
    parameters = {name for name, _ in found}
    needed = {name for name, default in found if not default}
    return parameters, needed, set(re.findall(r"^output (\w+) ", text, re.M))


def modules(file):
    """Each module of a file: its symbol, its file, and the parameters that it is given."""
    text = file.read_text()
    for match in re.finditer(r"^module (\w+) '([^']+)' = (.*?)^[}\]]", text, re.M | re.S):
        symbol, path, body = match.groups()
        inline = re.search(r"params: \{ (.*) \}", body)
        if inline:
            given = set(re.findall(r"(\w+):", inline.group(1)))
        else:
            block = body.split("  params: {", 1)[1].split("\n  }", 1)[0]
            given = set(re.findall(r"^    (\w+):", block, re.M))
        yield symbol, file.parent / path, given


def check(root):
    wrong = []
    for file in sorted(root.rglob("*.bicep")):
        for node in walk(parse(file)):
            if node.type == "ERROR" or node.is_missing:
                wrong.append(f"{file}:{node.start_point[0] + 1}: not Bicep")
        outputs = {}
        for symbol, path, given in modules(file):
            parameters, needed, outputs[symbol] = declared(path)
            for name in sorted(needed - given):
                wrong.append(f"{file}: module {symbol} lacks {name}")
            for name in sorted(given - parameters):
                wrong.append(f"{file}: module {symbol} has no {name}")
        for symbol, name in re.findall(r"(\w+)(?:\[[^\n]*?\])?\.outputs\.(\w+)", file.read_text()):
            if name not in outputs.get(symbol, set()):
                wrong.append(f"{file}: {symbol} has no output {name}")
    return wrong


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1]))
    print("\n".join(found))
    sys.exit(1 if found else 0)
