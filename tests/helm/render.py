"""The committed renderings of the chart, written by Helm: `make chart`.

Each file of helm/ci has a rendering: the default one in full, the others with the objects that differ from it. The
offline commands use two parts of the default rendering as package data. What the code generates is left out: the kind
ModelMonitor, the policy on its authors, the dashboards, and the rules.

`make test` has no Helm. It compares a digest of the chart with the one of the last rendering.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm"
RENDERED = ROOT / "tests/helm/rendered"
DATA = ROOT / "sidecar/inject/data"
SAID = ROOT / "build/helm"  # by .ci/helm
DIGEST = "tests/helm/rendered/chart.sha256"
RELEASE, NAMESPACE = "pilotfish", "pilotfish-system"
# Kinds that a values file needs, and a cluster may lack.
KINDS = {
    "cert-manager": ["cert-manager.io/v1/Certificate"],
    "cert-manager-issuer": ["cert-manager.io/v1/Certificate"],
    "pod-monitor": ["monitoring.coreos.com/v1/PodMonitor"],
}
GENERATED_FOLDERS, GENERATED_TEMPLATES = ("files/", "dashboards/"), {"crd.yaml", "dashboards.yaml", "rules.yaml"}
_SOURCE = re.compile(r"# Source: pilotfish/templates/(\S+)\n")
# What only an installation by Helm needs.
_KEEP = r" +annotations:\n +argocd\S+: .*\n +helm\.sh/resource-policy: keep\n"
_HELM_LINES = re.compile(_KEEP + r"| +(?:helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n")


def cases() -> list[str]:
    """Return the names of the features with a values file, `default` first."""
    names = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))
    return ["default", *(name for name in names if name != "default")]


def template(helm: Path, name: str) -> list[str]:
    """Return the documents that Helm renders for a values file, sorted by template and object."""
    kinds = [part for kind in KINDS.get(name, ()) for part in ("--api-versions", kind)]
    values = CHART / f"ci/{name}-values.yaml"
    done = subprocess.run(
        [helm, "template", RELEASE, CHART, "--namespace", NAMESPACE, "--values", values, *kinds],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = {}
    for text in re.split(r"^---\n", done.stdout, flags=re.MULTILINE):
        match, item = _SOURCE.match(text), yaml.safe_load(text)
        if match and item and match[1] not in GENERATED_TEMPLATES:
            place = (match[1], item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"])
            found[place] = text.rstrip() + "\n"
    return [found[place] for place in sorted(found)]


def renderings(helm: Path) -> dict[str, str]:
    """Return the text of each generated file by its path in the repository."""
    default = template(helm, "default")
    files = {"tests/helm/rendered/default.yaml": _join(default)}
    for name in cases()[1:]:
        documents = template(helm, name)
        absent = sorted({_name(text) for text in default} - {_name(text) for text in documents})
        head = "# Objects that differ from default.yaml.\n" + "".join(f"# Absent: {item}\n" for item in absent)
        files[f"tests/helm/rendered/{name}.yaml"] = _join([head, *(text for text in documents if text not in default)])
    config = next(item for text in default if (item := yaml.safe_load(text))["kind"] == "ConfigMap")
    files["sidecar/inject/data/sidecar.yaml"] = config["data"]["sidecar.yaml"]
    plain = [_HELM_LINES.sub("", _SOURCE.sub("", text)) for text in default if "helm.sh/hook:" not in text]
    files["sidecar/inject/data/manifests.yaml"] = _join(plain)
    return {**files, DIGEST: chart_digest()}


def chart_digest() -> str:
    """Return the SHA-256 of everything that determines the renderings."""
    digest = hashlib.sha256()
    for path in sorted(CHART.rglob("*")):
        name = path.relative_to(CHART).as_posix()
        if (
            path.is_file()
            and not name.startswith(GENERATED_FOLDERS)
            and name not in {"README.md", "templates/NOTES.txt"}
        ):
            digest.update(f"{name}\n".encode() + path.read_bytes())
    return digest.hexdigest() + "\n"


def objects(name: str) -> list[dict[str, Any]]:
    """Return the objects of a committed rendering."""
    text = (RENDERED / f"{name}.yaml").read_text()
    return [item for item in yaml.load_all(text, Loader=yaml.CSafeLoader) if item]


def helm_programs() -> dict[str, Path]:
    """Return the programs that `.ci/helm` built, by name; empty without them."""
    folder = Path(SAID.read_text().strip() or "/missing") if SAID.exists() else Path("/missing")
    return {name: folder / name for name in ("helm3", "helm4") if (folder / name).exists()}


def _name(text: str) -> str:
    item = yaml.safe_load(text)
    return f"{item['kind']} {item['metadata']['name']}"


def _join(documents: list[str]) -> str:
    return "---\n".join(documents)


def main() -> int:
    """Write the files that differ."""
    programs = helm_programs()
    if not programs:
        sys.exit("no Helm: build/helm does not name a folder with helm4; run `.ci/helm > build/helm`, which needs Go")
    texts = renderings(programs["helm4"])
    for path in RENDERED.glob("*.yaml"):
        if path.relative_to(ROOT).as_posix() not in texts:
            path.unlink()
    for name, text in texts.items():
        path = ROOT / name
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
