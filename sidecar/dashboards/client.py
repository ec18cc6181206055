"""A Grafana behind its HTTP API, by grafana-client, with errors that say what to do.

grafana-client and requests are imported when a client is made: they are in the extra `dashboards`.
"""

from __future__ import annotations

from collections.abc import Callable
from http.client import NOT_FOUND
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..errors import PilotfishError, UsageError, quote_value
from .push import Json, StoredDashboard

T = TypeVar("T")
TIMEOUT = 30.0  # seconds for one request
MAX_MESSAGE = 200  # characters of an error that the server sent
REMEDIES = {
    401: "write a valid token into the file of --token-file",
    403: "the token needs the role Editor, or the rights to read and write dashboards and to create folders",
    412: "another dashboard or folder has this name; rename it, or give another --folder",
}  # by status


class GrafanaError(PilotfishError):
    """A Grafana cannot be reached, or refuses a request."""


class GrafanaHttp:
    """A `GrafanaServer` over HTTP.

    `url` is the address of the Grafana with its path, `token` the token of a service account, and `authority` a PEM
    file with the authority of its certificate (default: those of the system). Redirects are refused, because a
    redirected request would change its method.
    """

    def __init__(self, url: str, token: str, authority: Path | None = None, timeout: float = TIMEOUT) -> None:
        parts = _checked(url)
        try:
            import requests
            from grafana_client.api import GrafanaApi
            from grafana_client.client import GrafanaException
        except ImportError as error:
            raise UsageError(
                f"push needs grafana-client ({error}); install pilotfish with the extra dashboards: "
                "pip install 'pilotfish[dashboards]'"
            ) from error
        self._requests, self._refused = requests.exceptions, GrafanaException
        self._where = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        path = parts.path.strip("/")
        self._api = GrafanaApi(
            auth=token,
            host=parts.netloc,
            url_path_prefix=f"{path}/" if path else "",
            protocol=parts.scheme,
            verify=str(authority) if authority is not None else True,
            timeout=timeout,
        )
        self._api.client.s.max_redirects = 0

    def folder(self, title: str) -> str | None:
        """Return the uid of the folder with this title at the top level; None without one."""
        folders = self._call("the list of folders", list, self._api.folder.get_all_folders)
        return next((_text(item, "uid") for item in folders if item.get("title") == title), None)

    def create_folder(self, title: str) -> str:
        """Create the folder and return its uid."""
        made = self._call(f"the folder {quote_value(title)}", dict, lambda: self._api.folder.create_folder(title))
        return _text(made, "uid")

    def read(self, uid: str) -> StoredDashboard | None:
        """Return the stored dashboard; None without one."""
        try:
            found = self._call(f"the dashboard {uid}", dict, lambda: self._api.dashboard.get_dashboard(uid))
        except GrafanaError as error:
            if getattr(error.__cause__, "status_code", None) == NOT_FOUND:
                return None
            raise
        meta = found.get("meta") or {}
        return StoredDashboard(found.get("dashboard") or {}, meta.get("folderUid") or "", bool(meta.get("provisioned")))

    def write(self, content: Json, folder: str) -> str:
        """Store the dashboard in the folder, replace the one with its uid, and return its address."""
        body = {"dashboard": content, "folderUid": folder, "overwrite": True, "message": "pilotfish dashboards push"}
        made = self._call(f"the dashboard {content['uid']}", dict, lambda: self._api.dashboard.update_dashboard(body))
        return f"{self._where}{_path_of(made, self._where)}"

    def _call(self, what: str, kind: type[T], request: Callable[[], Any]) -> T:
        """Return the JSON that a request returns; raise GrafanaError that names `what` it was about."""
        try:
            found = request()
        except self._requests.TooManyRedirects as error:
            raise GrafanaError(f"{self._where} redirects; give the final address of Grafana by --url") from error
        except self._requests.SSLError as error:
            raise GrafanaError(
                f"{self._where}: its certificate is not trusted ({_short(error)}); give its authority by --ca"
            ) from error
        except self._requests.Timeout as error:
            raise GrafanaError(f"{self._where}: no response in time for {what}; try again later") from error
        except (ValueError, self._requests.JSONDecodeError) as error:
            raise GrafanaError(
                f"{self._where}: the response is not JSON; check that --url is that of Grafana"
            ) from error
        except self._requests.RequestException as error:
            raise GrafanaError(f"{self._where}: cannot be reached ({_short(error)}); check --url") from error
        except self._refused as error:
            raise GrafanaError(f"{self._where} refuses {what}: {_remedy(error)}") from error
        if not isinstance(found, kind):
            raise GrafanaError(f"{self._where}: the response does not come from Grafana; check --url")
        return found


def _checked(url: str) -> Any:
    """Return the parts of the address; raise UsageError if it is none, or has a user, query or fragment."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"--url {quote_value(url)} is not an address; give one such as https://grafana.example")
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageError(f"--url {quote_value(url)} has more than host and path; give the token by --token-file")
    return parts


def _text(found: Json, key: str) -> str:
    value = found.get(key)
    if not isinstance(value, str) or not value:
        raise GrafanaError(f"Grafana returned a folder without {key}; check that --url is that of Grafana")
    return value


def _path_of(made: Json, where: str) -> str:
    """Return the path of a stored dashboard without the prefix that `where` has already."""
    path = str(made.get("url") or "")
    prefix = urlsplit(where).path
    return path.removeprefix(prefix) if prefix else path


def _remedy(error: Any) -> str:
    """Return what the server said, and what to do."""
    status = error.status_code
    said = error.response.get("message", "") if isinstance(error.response, dict) else ""
    shown = f"{status} {_short(said)}".strip()
    return f"{shown}; {REMEDIES.get(status, 'the log of Grafana has more')}"


def _short(text: object) -> str:
    shown = " ".join(str(text).split())
    return shown if len(shown) <= MAX_MESSAGE else f"{shown[:MAX_MESSAGE]}…"
