"""Files are opened and text is printed in one place each, where no FIFO can hang and no text controls a terminal."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.sources import Source, sources

READERS = {"read_bytes", "read_text"}
OWNERS = {"gzip", "io", "lzma", "os", "tarfile", "zipfile"}  # modules whose `open` opens a file
# Modules that open files in another way, with the reason.
OPENERS = {
    "sidecar/channel/page.py": "the counter page, opened with READ_FLAGS",
    "sidecar/inject/offline/images.py": "a file of the package",
    "sidecar/profiles/sources.py": "the standard input",
    "sidecar/proxy/listener.py": "/dev/null",
    "sidecar/report/command/evidently.py": "writes into a temporary folder of its own",
    "sidecar/report/pages/page.py": "a file of the package",
    "sidecar/run/spawn.py": "/dev/null",
    "sidecar/dashboards/files.py": "package data",
    "sidecar/run/vital_signs.py": "one word of the counter page, without waiting, and /proc",
    "sidecar/system/files.py": "the opener",
    "sidecar/system/limits.py": "/proc",
    "sidecar/system/lockedfile.py": "opens for writing, without waiting",
    "sidecar/system/logfile.py": "opens for writing, without waiting",
    "sidecar/telemetry/process.py": "/proc",
    "sidecar/terminal.py": "/dev/null",
}
PRINTERS = {
    "sidecar/notebook/progress.py": "one line that is rewritten, without unprintable characters of names",
    "sidecar/report/command/comparison.py": "one JSON line for the parent process",
    "sidecar/terminal.py": "the printer",
}


def called(source: Source) -> Iterator[tuple[int, str, str]]:
    """Yield line, owner and name of each call; the owner is empty for a plain name."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            yield node.lineno, "", node.func.id
        elif isinstance(node.func, ast.Attribute):
            takes_mode = node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
            owner = "a path" if node.func.attr == "open" and takes_mode else ast.unparse(node.func.value)
            yield node.lineno, owner, node.func.attr


def opens(owner: str, name: str) -> bool:
    if name == "open":
        return owner in {"", "a path", *OWNERS}
    return name in READERS or (owner, name) in {("np", "load"), ("np", "fromfile"), ("np", "memmap")}


def prints(owner: str, name: str) -> bool:
    return (owner, name) == ("", "print") or (name == "write" and owner in {"sys.stdout", "sys.stderr"})


def own(source: Source) -> bool:
    """Return whether the module handles input of others; the demo reads files that it has written itself."""
    return source.path.parts[1] != "demo"


def test_files_are_opened_by_the_one_opener() -> None:
    found = [
        f"{source.path}:{line}: {owner}.{name}: use open_file or read_file of sidecar/system/files.py"
        for source in filter(own, sources("sidecar"))
        if str(source.path) not in OPENERS
        for line, owner, name in called(source)
        if opens(owner, name)
    ]
    assert not found, "\n".join(found)


def test_text_is_printed_by_the_one_printer() -> None:
    found = [
        f"{source.path}:{line}: {name}: use sidecar/terminal.py"
        for source in filter(own, sources("sidecar"))
        if str(source.path) not in PRINTERS
        for line, owner, name in called(source)
        if prints(owner, name)
    ]
    assert not found, "\n".join(found)


def test_no_exception_is_out_of_date() -> None:
    for names, matches in ((OPENERS, opens), (PRINTERS, prints)):
        using = {
            str(source.path)
            for source in sources("sidecar")
            if any(matches(owner, name) for _, owner, name in called(source))
        }
        assert names.keys() <= using | {"sidecar/report/command/comparison.py"}
