"""`pilotfish dashboards push` against a stand-in for Grafana over real sockets, and what it decides."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar import cli
from pilotfish.sidecar.dashboards.files import load
from pilotfish.sidecar.dashboards.push import StoredDashboard, decide
from tests.dashboards.grafana import EDITOR, VIEWER, Grafana, serving
from tests.support.ports import free_port
from tests.support.tls import ONE, OTHER

SOME = ("fleet", "own")
UIDS = {f"pilotfish-{file.name}" for file in load()}


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    with serving(Grafana()) as one:
        yield one


@pytest.fixture
def token(tmp_path: Path) -> Path:
    return token_file(tmp_path, EDITOR)


def token_file(folder: Path, content: str) -> Path:
    path = folder / "token"
    path.write_text(f"{content}\n")
    path.chmod(0o600)
    return path


def push(url: str, token: Path, *more: str) -> int:
    return cli.main(["dashboards", "push", "--url", url, "--token-file", str(token), *more])


def failed(url: str, token: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert push(url, token, *more) != 0
    error = capsys.readouterr().err
    assert EDITOR not in error
    assert error.count("\n") == 1
    return error


def test_a_push_creates_folder_and_dashboards(
    grafana: Grafana, token: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert push(grafana.url, token) == 0
    assert list(grafana.folders.values()) == ["Pilotfish"]
    assert set(grafana.stored) == UIDS
    assert {item["folderUid"] for item in grafana.stored.values()} == set(grafana.folders)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(UIDS) + 1
    assert f"{grafana.url}/d/pilotfish-fleet/slug" in lines[3]


def test_a_second_push_writes_nothing(grafana: Grafana, token: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push(grafana.url, token, *SOME)
    grafana.requests.clear()
    assert push(grafana.url, token, *SOME) == 0
    assert {method for method, _ in grafana.requests} == {"GET"}
    assert capsys.readouterr().out.count("keep") == len(SOME)


def test_a_changed_dashboard_is_replaced_and_a_moved_one_moved_back(grafana: Grafana, token: Path) -> None:
    push(grafana.url, token, *SOME)
    grafana.stored["pilotfish-fleet"]["dashboard"]["title"] = "mine"
    grafana.stored["pilotfish-own"]["folderUid"] = ""
    assert push(grafana.url, token, *SOME) == 0
    versions = {uid: item["dashboard"]["version"] for uid, item in grafana.stored.items()}
    assert {uid for uid, version in versions.items() if version == 2} == {"pilotfish-fleet", "pilotfish-own"}
    assert grafana.stored["pilotfish-fleet"]["dashboard"]["title"] == "Pilotfish / Fleet"
    assert len({item["folderUid"] for item in grafana.stored.values()}) == 1


def test_a_dry_run_changes_nothing(grafana: Grafana, token: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert push(grafana.url, token, "--dry-run") == 0
    assert not grafana.folders
    assert not grafana.stored
    assert {method for method, _ in grafana.requests} == {"GET"}
    assert all(line.startswith("would create") for line in capsys.readouterr().out.splitlines())


def test_chosen_dashboards_go_to_the_top_level_of_a_grafana_below_a_path(
    token: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(Grafana(prefix="/monitoring/grafana")) as grafana:
        assert push(f"{grafana.url}/", token, "--folder", "", "own", "fleet") == 0
    assert list(grafana.stored) == ["pilotfish-own", "pilotfish-fleet"]
    assert not grafana.folders
    assert f"{grafana.url}/d/pilotfish-own/slug" in capsys.readouterr().out


def test_a_provisioned_dashboard_is_skipped(grafana: Grafana, token: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push(grafana.url, token, *SOME)
    grafana.stored["pilotfish-own"]["dashboard"]["title"] = "mine"
    grafana.provisioned.add("pilotfish-own")
    assert push(grafana.url, token, *SOME) == 0
    assert "skip     pilotfish-own" in capsys.readouterr().out


def test_another_dashboard_with_the_same_title_is_reported(
    grafana: Grafana, token: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grafana.folders["f0"] = "Pilotfish"
    grafana.stored["other"] = {"dashboard": {"title": "Pilotfish / Fleet", "uid": "other"}, "folderUid": "f0"}
    assert "412" in failed(grafana.url, token, capsys)


BROKEN = {
    "a_page": ((200, "text/html", b"<html>hello</html>"), "does not come from Grafana"),
    "a_redirect": ((301, "https://grafana.example/api/folders", b""), "redirects"),
    "an_error": ((500, "application/json", b'{"message": "database is locked"}'), "500 database is locked"),
    "no_json": ((200, "application/json", b"{"), "not JSON"),
    "other_json": ((200, "application/json", b'"x"'), "does not come from Grafana"),
    "unavailable": ((503, "text/plain", b"x" * 100_000), "503"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_server_that_is_no_grafana_is_one_line(
    name: str, grafana: Grafana, token: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grafana.broken, expected = BROKEN[name]
    error = failed(grafana.url, token, capsys)
    assert expected in error
    assert len(error) < 600


@pytest.mark.parametrize(("given_token", "status"), [("glsa_old", "401"), (VIEWER, "403")])
def test_a_refused_token_is_reported_with_the_remedy(
    given_token: str, status: str, grafana: Grafana, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = failed(grafana.url, token_file(tmp_path, given_token), capsys)
    assert status in error
    assert "token" in error
    assert given_token not in error


def test_the_certificate_is_verified(token: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Grafana(), ONE) as grafana:
        assert "certificate is not trusted" in failed(grafana.url, token, capsys)
        assert "certificate is not trusted" in failed(grafana.url, token, capsys, "--ca", str(OTHER[0]))
        assert push(grafana.url, token, "--ca", str(ONE[0]), "own") == 0
    assert set(grafana.stored) == {"pilotfish-own"}


def test_a_server_that_does_not_answer_is_reported(token: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot be reached" in failed(f"http://127.0.0.1:{free_port()}", token, capsys)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "no response in time" in failed(url, token, capsys, "--timeout", "200ms")


@pytest.mark.parametrize(
    "url",
    ["", "grafana", "ftp://grafana", "http://", "http://user:word@grafana", "http://grafana?x=1", "http://g:99999"],
)
def test_an_address_that_cannot_be_used_is_refused(url: str, token: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = failed(url, token, capsys)
    assert "--url" in error
    assert "word" not in error


def test_an_unknown_dashboard_lists_the_valid_ones(token: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "actions, feature, fleet" in failed("http://127.0.0.1:1", token, capsys, "flet")


def test_without_grafana_client_the_error_names_the_extra(
    token: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "grafana_client.api", None)
    assert "pilotfish[dashboards]" in failed("http://127.0.0.1:1", token, capsys)


def test_export_writes_the_files_and_list_names_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["dashboards", "export", "--out", str(tmp_path)]) == 0
    assert {f"pilotfish-{path.stem}" for path in tmp_path.iterdir()} == UIDS
    assert all(json.loads(path.read_text())["panels"] for path in tmp_path.iterdir())
    capsys.readouterr()
    assert cli.main(["dashboards", "list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(UIDS)


def test_export_reports_a_folder_that_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["dashboards", "export", "--out", str(tmp_path / "none")]) != 0
    assert "--out" in capsys.readouterr().err


CONTENT = st.dictionaries(st.sampled_from(["id", "panels", "title", "uid", "version"]), st.integers(0, 2))


@given(CONTENT, CONTENT, st.sampled_from(["", "f0"]), st.sampled_from([None, "", "f0"]))
def test_only_what_differs_is_written(wanted: dict, stored: dict, at: str, folder: str | None) -> None:
    verb, _ = decide(wanted, StoredDashboard(stored, at, provisioned=False), folder)
    same = {**wanted, "id": 0, "version": 0} == {**stored, "id": 0, "version": 0}
    assert (verb == "keep") == (same and at == folder)
    assert decide(wanted, None, folder)[0] == "create"
    assert decide(wanted, StoredDashboard(stored, at, provisioned=True), folder)[0] == "skip"
