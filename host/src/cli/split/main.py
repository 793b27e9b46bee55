def report(source):
    """What the script does, as plain values."""
    text = decoded(source)
    tree, aside = parsed(text)
    found = Analysis(text)
    found.tree = tree
    found.body(tree.body)
    found.rest()
    target = found.target
    if target is None:
        # What was taken off the features, where it is but one.
        columns = {name for name, seen in found.columns.items() if name in found.drops}
        target = (next(iter(columns)), found.drops[next(iter(columns))]) if len(columns) == 1 else None
    placed = {line for event in found.events.values() for line in range(event["line"], event["end"] + 1)}
    return {
        "lines": len(found.lines),
        "events": [
            {**event, "within": found.within(event["within"])}
            for event in sorted(found.events.values(), key=lambda event: (event["line"], event["stage"]))
        ],
        "flows": [{"from": a, "to": b, "names": sorted(names)} for (a, b), names in sorted(found.flows.items())],
        "files": sorted(found.files.values(), key=lambda file: (file["line"], file["file"])),
        "columns": [{"name": name, "stages": sorted(seen)} for name, seen in sorted(found.columns.items())],
        "estimators": [found.estimators[key] for key in sorted(found.estimators)],
        "split": found.split,
        "target": {"column": target[0], "line": target[1]} if target else None,
        "imputes": list(found.imputes.values()),
        "drops": [{"column": name, "line": line} for name, line in found.drops.items()],
        "dummies": found.dummies,
        "unplaced": [lost for line, lost in sorted(found.unplaced.items()) if line not in placed],
        "aside": aside,
        "imports": [{"module": name, "line": line} for name, line in sorted(found.imports.items(), key=lambda i: i[1])],
    }


def main():
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
    except (ImportError, ValueError, OSError):
        pass  # The caller's clock bounds it all the same.
    sys.setrecursionlimit(4_000)
    try:
        told_of = report(sys.stdin.buffer.read())
    except Wrong as error:
        told_of = {"error": str(error)}
    except (RecursionError, MemoryError):
        told_of = {"error": "it is nested too deeply to be followed"}
    # Halves of characters that a text may hold are no text for others.
    sys.stdout.buffer.write(json.dumps(told_of, ensure_ascii=False).encode("utf-8", "replace"))


main()
