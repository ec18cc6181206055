"""The admin address of a pod that follows a controller: without a token file, no request changes anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pilotfish.sidecar.analyzer.http import access
from tests.analyzer.sync.pods import OPTIONS
from tests.analyzer.test_http import TOKEN, served

BEARER = {"Authorization": f"Bearer {TOKEN}"}
JSON = {"Content-Type": "application/json"}
LABEL = b'{"label": 1, "prediction": 1}'
OWNED = [("PUT", "/profile"), ("POST", "/rebaseline"), ("DELETE", "/rebaseline"), ("POST", "/episodes/a/close")]


@pytest.mark.asyncio
async def test_without_a_token_every_request_that_changes_something_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path, document=None, control=OPTIONS) as here:
        for method, path in OWNED:
            status, text = await here.send(method, path, b"{}")
            assert (status, "change the ModelMonitor" in text) == (403, True), (method, path)
        status, text = await here.send("POST", "/v1/feedback", LABEL, JSON)
        assert (status, "send labels to POST /v1/feedback of the controller" in text) == (403, True)


@pytest.mark.asyncio
async def test_without_a_token_no_method_of_any_path_but_get_is_served(tmp_path: Path) -> None:
    async with served(tmp_path, document=None, control=OPTIONS) as here:
        paths = [*json.loads((await here.get("/none"))[1])["addresses"], "/none", "/episodes/a/close"]
        for path in paths:
            for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
                status, _ = await here.send(method, path, LABEL, JSON)
                assert status in {403, 404, 405}, (method, path)
        for path in ("/healthz", "/metrics", "/report", "/config"):
            assert (await here.get(path))[0] == 200, path


@pytest.mark.asyncio
async def test_with_a_token_labels_are_taken_and_the_controller_keeps_its_part(tmp_path: Path) -> None:
    async with served(tmp_path, document=None, token=True, control=OPTIONS) as here:
        assert (await here.send("POST", "/v1/feedback", LABEL, JSON | BEARER))[0] == 200
        assert (await here.send("POST", "/v1/feedback", LABEL, JSON))[0] == 401
        for method, path in OWNED:
            status, text = await here.send(method, path, b"{}", BEARER)
            assert (status, "the controller owns" in text) == (409, True), (method, path)


@pytest.mark.asyncio
async def test_a_read_only_address_that_others_reach_is_no_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "is_loopback", lambda _: False)
    async with served(tmp_path, document=None, control=OPTIONS) as here:
        warnings = json.loads((await here.get("/readyz"))[1])["warnings"]
        assert not [text for text in warnings if "--token-file" in text]
