"""A connection to a real API server for the tests of the resource, and what it has in common with `parse_resource`."""

from __future__ import annotations

import http.client
import json
import re
import ssl
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pilotfish.sidecar.settings.errors import SettingsError
from tests.settings.resources import parsed
from tests.support.cluster import ADMIN, ControlPlane
from tests.support.waiting import patient

GROUP = "/apis/pilotfish.dev/v1alpha1"


@dataclass
class Answer:
    """The answer to a creation: the stored object, or why it was refused."""

    stored: dict[str, Any] = field(default_factory=dict)
    refusal: str = ""


@dataclass
class Connection:
    """Creates resources in a dry run, with strict validation, as the holder of `token`."""

    plane: ControlPlane
    namespace: str = "default"
    token: str = ADMIN

    def create(self, body: dict[str, Any]) -> Answer:
        """Return what the API server would store of `body`, or its refusal."""
        path = f"{GROUP}/namespaces/{self.namespace}/modelmonitors?dryRun=All&fieldValidation=Strict"
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        context = ssl.create_default_context(cafile=self.plane.ca)
        address = urlsplit(self.plane.url).netloc
        with closing(http.client.HTTPSConnection(address, context=context, timeout=patient(30))) as client:
            client.request("POST", path, body=json.dumps(body), headers=headers)
            response = client.getresponse()
            found = json.loads(response.read())
        return Answer(stored=found) if response.status == 201 else Answer(refusal=found["message"])


def refusal(body: dict[str, Any]) -> str:
    """Return why `parse_resource` refuses `body`, or an empty text."""
    try:
        parsed(body)
    except SettingsError as error:
        return str(error)
    return ""


def _says(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.search(pattern, text) is not None


# A document that only `parse_resource` refuses has one of these problems: CEL cannot check them, or not cheaply.
ONLY_PILOTFISH_REFUSES: dict[str, Callable[[str], bool]] = {
    "the syntax of JSONPaths": _says(
        r"\$\.spec\.traffic\.decode\.(id|names|predictions|rows|\w+Columns\.\w+)\b.*(\$|\[\*\])"
    ),
    "parameters of stream detectors": _says(r"\$\.spec\.drift\.detectors\[\d+\]: has (the parameter|\w+:)"),
    "size limits of stored rows, in a list": _says(r"\$\.spec\.profiles\[\d+\]\.learn\.bytes: is .*give 1Mi to 4Gi"),
    "time zones": _says(r"\$\.spec\.drift\.timezone: .*which is not known"),
    "an entry of a map without a value, which the API server removes": _says(r"\$\.spec\.[\w.]+: is None; give"),
    "half a character (a lone surrogate)": _says("half a surrogate pair"),
    "a whole number with a fraction, such as 8.0": _says(r"is -?\d+\.0; give "),
}
# A document that only the API server refuses has one of these problems; each has another way to write it.
ONLY_THE_SERVER_REFUSES: dict[str, Callable[[str], bool]] = {
    "a fraction of a quantity or of a number of requests, without quotes": _says("must be of type integer,string"),
    "the duration 0 without quotes": _says('must be of type string: "(integer|number)"|with type latency, give text'),
    "an integer beyond 64 bits": _says(r"cannot unmarshal number|must be of type integer \(default format\)"),
}
