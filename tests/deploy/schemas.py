# SPDX-License-Identifier: Apache-2.0
"""JSON schemas for kubeconform: Kubernetes' own, and made of the CRDs; all are on this machine."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import kubernetes_validate
import yaml

from stack.kube_tools import kubeconform

VERSIONS = ("1.30.0", "1.33.0", "1.36.0")
DROPPED = ("nullable", "default", "example")
# Google's CRDs are not to be had from a registry.
WITHOUT_SCHEMA = ("monitoring.googleapis.com/v1/PodMonitoring", "monitoring.googleapis.com/v1/Rules")


REFERENCE = re.compile(r'"(?:/api/_definitions\.json)?#/\$defs/([^"]+)"')


def _core(out: Path, version: str) -> None:
    """The schemas that come with kubernetes_validate, each with the definitions that it needs, and no others."""
    source = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{version}-local-strict"
    folder = out / f"v{version}-strict"
    folder.mkdir(parents=True)
    definitions = json.loads((source / "_definitions.json").read_text())["$defs"]
    texts = {name: json.dumps(definition) for name, definition in definitions.items()}
    for path in source.glob("*.json"):
        text = path.read_text()
        if path.name.startswith("_") or '"x-kubernetes-group-version-kind"' not in text:
            continue
        needed, new = set(), set(REFERENCE.findall(text))
        while new:
            needed |= new
            new = {name for known in new for name in REFERENCE.findall(texts[known])} - needed
        schema = json.loads(REFERENCE.sub(r'"#/$defs/\1"', text))
        schema.pop("$id", None)
        schema["$defs"] = {name: json.loads(REFERENCE.sub(r'"#/$defs/\1"', texts[name])) for name in needed}
        (folder / path.name).write_text(json.dumps(schema))


def convert(node: object, close: bool = True, root: bool = False) -> object:
    """The JSON schema of a node of a CRD's schema; an object that lists properties takes no others."""
    if not isinstance(node, dict):
        return node
    out = {key: value for key, value in node.items() if not key.startswith("x-kubernetes-") and key not in DROPPED}
    if node.get("x-kubernetes-int-or-string"):
        out.pop("format", None)
        out["type"] = ["integer", "string"]
    if "properties" in out:
        out["properties"] = {name: convert(sub, close) for name, sub in out["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in out:
            out[key] = convert(out[key], close)
    for key in ("anyOf", "oneOf", "allOf"):  # these only restrict: closed, they would refuse what stands beside them
        if key in out:
            out[key] = [convert(sub, False) for sub in out[key]]
    if "not" in out:
        out["not"] = convert(out["not"], False)
    if root or node.get("x-kubernetes-embedded-resource"):
        usual = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
        out["properties"] = {**out.get("properties", {}), **usual}
    open_ended = node.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in out
    if close and "properties" in out and not open_ended:
        out["additionalProperties"] = False
    if node.get("nullable") and "type" in out:
        out["type"] = [*([out["type"]] if isinstance(out["type"], str) else out["type"]), "null"]
    return out


def _custom(out: Path, crds: Path) -> None:
    for path in crds.glob("*.yaml"):
        for crd in yaml.load_all(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            spec = crd["spec"]
            for version in spec["versions"]:
                target = out / spec["group"] / f"{spec['names']['kind'].lower()}_{version['name']}.json"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(json.dumps(convert(version["schema"]["openAPIV3Schema"], root=True)))


class Schemas:
    """All of them in a folder."""

    def __init__(self, folder: Path, crds: Path) -> None:
        self.folder = folder
        for version in VERSIONS:
            _core(folder / "core", version)
        _custom(folder / "custom", crds)

    def check(self, manifests: str, version: str = VERSIONS[-1]) -> tuple[dict, list[dict]]:
        """What kubeconform counted (valid, invalid, errors, skipped), and what it objects to."""
        command = [str(kubeconform()), "-strict", "-summary", "-output", "json", "-kubernetes-version", version]
        command += ["-skip", ",".join(WITHOUT_SCHEMA)]
        kind = "{{.ResourceKind}}"
        version_folder = "{{.NormalizedKubernetesVersion}}{{.StrictSuffix}}"
        core = f"{self.folder}/core/{version_folder}/{kind}{{{{.KindSuffix}}}}.json"
        custom = f"{self.folder}/custom/{{{{.Group}}}}/{kind}_{{{{.ResourceAPIVersion}}}}.json"
        command += ["-schema-location", core, "-schema-location", custom, "-"]
        done = subprocess.run(command, input=manifests, capture_output=True, text=True, check=False, timeout=240)
        answer = json.loads(done.stdout)
        return answer["summary"], answer.get("resources") or []
