"""Reads the files of a webhook: the secret that signs events, and the URL if it is a secret itself.

The executor reads them for each attempt, so that both can be rotated.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...errors import PilotfishError, quote_value
from ...settings.document import Spec
from ...settings.places import webhooks
from ...settings.webhooks import Webhook, url_problem
from ...system.tokens import read_secret_file


class WebhookFileError(PilotfishError):
    """A file of the webhook cannot be used. The message contains nothing of its content."""


def read_secret(path: Path) -> bytes:
    """Return the secret in the file at `path`, without white space around it; raise WebhookFileError."""
    return _read(path, "secret file", "secretFile")


def read_url(path: Path) -> str:
    """Return the URL in the file at `path`, without white space around it; raise WebhookFileError."""
    return usable_url(_read(path, "URL file", "urlFile"), f"URL file {quote_value(path)}")


def usable_url(content: bytes, what: str) -> str:
    """Return the URL in `content`; raise WebhookFileError, whose message names its source, `what`."""
    url = content.decode("utf-8", "replace")
    problem = url_problem(url)
    if problem:
        raise WebhookFileError(f"{what}: its content {problem}; write one URL into it")
    return url


def url_source(webhook: Webhook, folder: Path) -> str | Path:
    """Return the URL, or the file with it; `folder` is the folder of the document."""
    return webhook.url if webhook.url is not None else folder / (webhook.url_file or "")


def secret_path(webhook: Webhook, folder: Path) -> Path | None:
    """Return the file with the secret, None without one; `folder` is the folder of the document."""
    return folder / webhook.secret_file if webhook.secret_file else None


def file_problems(spec: Spec, folder: Path, *, missing: bool = True) -> Iterator[str]:
    """Yield why files of the webhooks in `spec` cannot be used; without `missing`, absent files are no problem."""
    for _, webhook in webhooks(spec):
        if webhook.url_secret_ref:
            continue  # not in a cluster, nothing is sent, for the reason secret_ref
        for read, path in ((read_url, url_source(webhook, folder)), (read_secret, secret_path(webhook, folder))):
            if isinstance(path, Path) and (missing or path.exists()):
                try:
                    read(path)
                except WebhookFileError as error:
                    yield str(error)


def _read(path: Path, what: str, setting: str) -> bytes:
    try:
        return read_secret_file(path)
    except OSError as error:
        raise WebhookFileError(f"{what} {quote_value(path)}: {error.strerror}; check {setting}") from error
    except ValueError as error:
        raise WebhookFileError(f"{what} {quote_value(path)}: {error}") from error
