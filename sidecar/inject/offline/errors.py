"""The error of an unusable manifest: it names file, document and line."""

from __future__ import annotations

from ...errors import UsageError


class ManifestError(UsageError):
    """A file of manifests that cannot be read or used."""

    def __init__(self, where: str, what: str, remedy: str, *, document: int = 0, line: int = 0) -> None:
        """Name the `document` and the `line`, both counted from 1; 0 stands for unknown."""
        places = [f"document {document}"] if document else []
        places += [f"line {line}"] if line else []
        place = f" ({', '.join(places)})" if places else ""
        super().__init__(f"{where}{place}: {what}; {remedy}")
