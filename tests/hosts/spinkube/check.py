"""Checks manifests for SpinKube and KEDA against schemas, and against each other.

    check.py MANIFESTS SPIN.toml [CRD.yaml …]

Kinds of Kubernetes are checked by kubernetes-validate's schemas. SpinApp and ScaledObject have the
fields that schemas.json says: a part of theirs, written here, in which a name that is not known is an
error. Where CRD files of the two operators are given, they are held to those, too.
"""

import json
import pathlib
import sys
import tomllib

import jsonschema
import kubernetes_validate
import yaml

KUBERNETES = "1.33"
OURS = json.loads(pathlib.Path(__file__).with_name("schemas.json").read_text())


def strict(schema):
    """As the API server prunes: a field that is not named is not taken."""
    if isinstance(schema, dict):
        schema = {key: strict(value) for key, value in schema.items()}
        free = {"additionalProperties", "x-kubernetes-preserve-unknown-fields"} & schema.keys()
        if isinstance(schema.get("properties"), dict) and not free:
            schema["additionalProperties"] = False
        if schema.pop("x-kubernetes-int-or-string", False):
            schema.pop("type", None)
    elif isinstance(schema, list):
        schema = [strict(item) for item in schema]
    return schema


def given(files):
    """Schemas of CRD files, by apiVersion and kind."""
    found = {}
    for file in files:
        spec = yaml.safe_load(pathlib.Path(file).read_text())["spec"]
        for version in spec["versions"]:
            schema = strict(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return found


def references(value):
    """Secrets and keys that a document refers to."""
    if isinstance(value, dict):
        if "secretKeyRef" in value:
            yield value["secretKeyRef"]["name"], value["secretKeyRef"]["key"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def main(folder, spin, *crds):
    crds = given(crds)
    documents = [(path.name, document)
                 for path in sorted(pathlib.Path(folder).glob("*.yaml"))
                 for document in yaml.safe_load_all(path.read_text())]
    problems = []
    for name, document in documents:
        kind = document["apiVersion"], document["kind"]
        own = OURS.get("/".join(kind))
        for schema in filter(None, (own, crds.get(kind))):
            errors = jsonschema.Draft202012Validator(schema).iter_errors(document)
            problems += [f"{name}: {error.json_path}: {error.message}" for error in errors]
        if own is None:
            try:
                kubernetes_validate.validate(document, KUBERNETES, strict=True)
            except kubernetes_validate.ValidationError as error:
                problems.append(f"{name}: {error.message}")

    secrets = {d["metadata"]["name"]: d["stringData"] for _, d in documents if d["kind"] == "Secret"}
    apps = [d for _, d in documents if d["kind"] == "SpinApp"]
    accounts = {d["metadata"]["name"] for _, d in documents if d["kind"] == "ServiceAccount"}
    for name, document in documents:
        for secret, key in references(document):
            if key not in secrets.get(secret, {}):
                problems.append(f"{name}: there is no Secret {secret} with {key}")
        if document["kind"] == "ScaledObject":
            target = document["spec"]["scaleTargetRef"]["name"]
            if not any(app["metadata"]["name"] == target for app in apps):
                problems.append(f"{name}: there is no SpinApp {target}")
    application = tomllib.loads(pathlib.Path(spin).read_text())
    for app in apps:
        spec = app["spec"]
        if spec.get("serviceAccountName") not in accounts:
            problems.append("there is no ServiceAccount of the SpinApp's name for it")
        if not spec.get("enableAutoscaling") or "replicas" in spec:
            problems.append("KEDA and the SpinApp would both say how many replicas there are")
        if not spec["resources"]["requests"].get("cpu"):
            problems.append("the share of the CPU is of what is requested, and nothing is")
        if "variables" in application:
            problems += [f"spin.toml has no variable {variable['name']}"
                         for variable in spec["variables"]
                         if variable["name"] not in application["variables"]]
        stores = {store["name"] for store in spec["runtimeConfig"]["keyValueStores"]}
        for component in application["component"].values():
            problems += [f"the store {store} is configured nowhere"
                         for store in component.get("key_value_stores", []) if store not in stores]
    print("\n".join(problems) or f"{len(documents)} documents")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main(*sys.argv[1:])
