# SPDX-License-Identifier: Apache-2.0
"""Writes what the chart takes from elsewhere: the stream files, the settings in values.schema.json, and its README.md.

    ./mesh shell python3 -P tools/chart.py [--check]

--check writes nothing and exits with 1 when a file is not what it should be.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
CHART = PROJECT / "helm/tweetmesh"
CONFIGURATION = PROJECT / "docs/configuration.md"
SETTINGS = {
    "apiSettings": "api",
    "grpcServerSettings": "grpc-server",
    "wsRedisSettings": "ws-redis",
    "consumerSettings": "kafka-consumer",
    "auditSettings": "audit",
}
# In tracing.settings: of all that send spans, but for what is a value of its own, and a name that all would share.
SENDERS = ("apiSettings", "grpcServerSettings", "wsRedisSettings", "consumerSettings")
OF_TRACING = re.compile(r"OTEL_(?!(EXPORTER_OTLP_ENDPOINT|TRACES_SAMPLER|TRACES_SAMPLER_ARG|SERVICE_NAME)$)\w+")
# The chart sets these from other values.
OF_THE_CHART = re.compile(
    r"STREAMS_DIR|OPS_\w+|\w+_HOST|\w+_PORT|GRPC_LISTEN|GRPC_TARGET|WS_URL|REDIS_URL|REDIS_USER|REDIS_PASSWORD|MONGODB_URI|"
    r"MONGODB_USER|MONGODB_PASSWORD|MONGODB_DATABASE|DRAIN_MS_MAX|KAFKA_(BROKERS|GROUP_ID|INSTANCE_ID|TLS|USER|PASSWORD|SASL\w*|"
    r"SECURITY\w*)|\w+_(CA|CERT|KEY)"
)


def option_schema(allowed: str, meaning: str) -> dict:
    """The schema of one row of docs/configuration.md."""
    about = {"description": meaning.replace("&#124;", "|")}
    if number := re.fullmatch(r"([\d,]+) to ([\d,]+)", allowed):
        low, high = (int(part.replace(",", "")) for part in number.groups())
        return {"type": "integer", "minimum": low, "maximum": high, **about}
    if text := re.search(r"([\d,]+) to ([\d,]+) bytes", allowed):
        low, high = (int(part.replace(",", "")) for part in text.groups())
        return {"type": "string", "minLength": low, "maxLength": high, **about}
    if allowed == "`true`, `false`":
        return {"type": "boolean", **about}
    return {"enum": [word for word in re.findall(r"`([^`]+)`", allowed)], **about}


def settings() -> dict[str, dict]:
    """Definitions for values.schema.json: the settings of each program that users may choose."""
    tables = dict(re.findall(r"(?ms)^## (\S+)\n(.*?)(?=^## |\Z)", CONFIGURATION.read_text()))
    found = {}
    for name, program in SETTINGS.items():
        rows = re.findall(r"(?m)^\| `(\w+)` \| .*? \| (.*?) \| (.*) \|$", tables[program])
        # A secret does not belong into values, which Helm keeps readable.
        mine = [row for row in rows if not OF_THE_CHART.fullmatch(row[0]) and not row[1].startswith("secret")]
        chosen = {name: option_schema(allowed, meaning) for name, allowed, meaning in mine}
        about = f"settings of {program}, of docs/configuration.md; others are made from other values"
        found[name] = {"type": "object", "additionalProperties": False, "description": about, "properties": chosen}
    first, *others = (found[name]["properties"] for name in SENDERS)
    shared = {name: row for name, row in first.items() if OF_TRACING.fullmatch(name) and all(name in o for o in others)}
    about = "settings of all programs that send spans, of docs/configuration.md"
    found["tracingSettings"] = {
        "type": "object",
        "additionalProperties": False,
        "description": about,
        "properties": shared,
    }
    return found


def schema() -> str:
    whole = json.loads((CHART / "values.schema.json").read_text())
    whole["$defs"] |= settings()
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def readme() -> str:
    """What helm-docs makes of README.md.gotmpl and values.yaml."""
    sys.path.insert(0, str(PROJECT))
    from stack.kube_tools import helm_docs

    with tempfile.TemporaryDirectory() as folder:
        for name in ("Chart.yaml", "values.yaml", "README.md.gotmpl"):
            (Path(folder) / name).write_text((CHART / name).read_text())
        command = [
            str(helm_docs()),
            "--chart-search-root",
            folder,
            "--sort-values-order",
            "file",
            "--log-level",
            "error",
        ]
        subprocess.run(command, check=True)
        text = (Path(folder) / "README.md").read_text()
    return re.sub(r"(?m)[ \t]+$", "", text).strip() + "\n"


def files() -> dict[Path, str]:
    """Every file that is made, and what it should be."""
    made = {CHART / "files/streams" / path.name: path.read_text() for path in (PROJECT / "streams").glob("*.json")}
    made[CHART / "values.schema.json"] = schema()
    made[CHART / "README.md"] = readme()
    return made


def stale() -> list[str]:
    """What is not as it should be, in words."""
    wanted = files()
    found = [
        f"{path.relative_to(PROJECT)} is not up to date"
        for path, text in wanted.items()
        if not path.exists() or path.read_text() != text
    ]
    extra = set((CHART / "files/streams").glob("*")) - wanted.keys()
    return found + [f"{path.relative_to(PROJECT)} is no stream of streams/" for path in sorted(extra)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a file is not up to date")
    if parser.parse_args().check:
        problems = stale()
        print("\n".join(problems) or "the chart is up to date")
        return 1 if problems else 0
    wanted = files()
    for path in set((CHART / "files/streams").glob("*")) - wanted.keys():
        path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    print(f"wrote {len(wanted)} files of {CHART.relative_to(PROJECT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
