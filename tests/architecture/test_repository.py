"""The repository's files contain no address of a registry, no path of a developer's machine and no dead link."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REGISTRIES = ("files." + "pythonhosted", "py" + "pi.org", "registry." + "npmjs", "deb." + "debian.org", "ghcr" + ".io")
MACHINE_PATH = re.compile(r"(?<![\w.{}$-])/(?:home|root|Users|work)/[\w.]+")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def tracked() -> list[Path]:
    """Return the files that git tracks, or would if they were added; in a copy without git, every file."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip(f"not a git repository: {listed.stderr.strip()[:200]}")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_no_registry_and_no_machine_path_is_named() -> None:
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # compressed data
        hosts = [host for host in REGISTRIES if host in text]
        assert not hosts, f"{path.relative_to(ROOT)} names {hosts}"
        found = MACHINE_PATH.findall(text)
        assert not found, f"{path.relative_to(ROOT)} holds {found[:5]}"


def anchors(path: Path) -> set[str]:
    """Return the anchors of the headings of a Markdown file, as a repository's web page makes them."""
    headings = re.findall(r"^#+ +(.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in LINK.findall(path.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert linked.exists(), f"{path.name} links to {target}, which is not there"
        assert not anchor or anchor in anchors(linked), f"{path.name} links to {target}: no such heading"


def test_the_index_names_every_page() -> None:
    linked = LINK.findall((ROOT / "docs/README.md").read_text())
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages <= set(linked), f"docs/README.md does not link {sorted(pages - set(linked))}"
