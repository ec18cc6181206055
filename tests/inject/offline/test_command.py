"""`pilotfish inject -f` prints the documents with the sidecars, and says what was done."""

from __future__ import annotations

import argparse
import copy
import io
import json
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar import cli
from pilotfish.sidecar.inject.offline.app import add_arguments, run
from pilotfish.sidecar.inject.offline.errors import ManifestError
from pilotfish.sidecar.inject.offline.workloads import CONTROLLED, TEMPLATES
from tests.support.examples import examples

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: loans}   # of the model
spec:
    selector: {app: loans}
    ports: [{port: 80, targetPort: http}]
"""
POD = """\
metadata:
  labels: {app: loans}
spec:
  containers:
  - name: model
    image: loans:1 # the image
    ports: [{name: http, containerPort: 8000}]
"""


def indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}\n" for line in text.splitlines())


DEPLOYMENT = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: loans}}
spec:
  # two of them
  replicas: 2
  selector: {{matchLabels: {{app: loans}}}}
  template:
{indented(POD, 4)}"""


def inject(capsysbinary: pytest.CaptureFixture[bytes], *words: str, stdin: str = "") -> tuple[int, str, str]:
    """Run the command and return its exit status, standard output and standard error."""
    given = sys.stdin
    sys.stdin = SimpleNamespace(buffer=io.BytesIO(stdin.encode()))
    try:
        status = cli.main(["inject", *words])
    finally:
        sys.stdin = given
    out, err = capsysbinary.readouterr()
    return status, out.decode(), err.decode()


def sidecars(pod: dict[str, Any]) -> list[str]:
    return [item["name"] for item in pod["spec"].get("initContainers", [])]


def test_other_documents_stay_byte_for_byte(capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    text = f"# first\n{SERVICE}---\n# second\n{DEPLOYMENT}---\n# the end\n"
    file.write_text(text)
    status, out, err = inject(capsysbinary, "-f", str(file))
    assert status == 0, err
    assert out.startswith(f"# first\n{SERVICE}---\n# second\n")
    assert out.endswith("---\n# the end\n")
    lines = iter(out.splitlines())
    kept = [line for line in text.splitlines() if "containerPort" not in line and "labels:" not in line]
    assert all(line in lines for line in kept), "each line of the input, in its order"
    assert "deployment/loans: injected, port (named_ports)" in err


@pytest.mark.parametrize("key", sorted(TEMPLATES), ids=str)
def test_each_kind_of_workload_is_injected(key: tuple[str, str], capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    group, kind = key
    found: dict[str, Any] = {
        "apiVersion": f"{group}/v1" if group else "v1",
        "kind": kind,
        "metadata": {"name": "loans"},
    }
    pod = yaml.safe_load(POD)
    if kind in {"Job", "CronJob"}:
        pod["spec"]["restartPolicy"] = "Never"
        pod["metadata"]["labels"]["pilotfish.dev/inject"] = "true"
    for steps in TEMPLATES[key]:
        parent = found
        for step in steps[:-1]:
            parent = parent.setdefault(step, {})
        if steps:
            parent[steps[-1]] = pod
        else:
            found = {**found, **pod, "metadata": {**pod["metadata"], "name": "loans"}}
    status, out, err = inject(capsysbinary, "-f", "-", stdin=f"{SERVICE}---\n{json.dumps(found)}\n")
    assert status == 0, err
    after = list(yaml.safe_load_all(out))[1]
    for steps in TEMPLATES[key]:
        template = after
        for step in steps:
            template = template[step]
        assert sidecars(template) == ["pilotfish-proxy", "pilotfish-analyzer"]


def test_a_list_and_json_are_injected_in_place(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    items = [yaml.safe_load(SERVICE), yaml.safe_load(DEPLOYMENT)]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=4)
    status, out, err = inject(capsysbinary, "-f", "-", stdin=text)
    assert status == 0, err
    after = json.loads(out)
    assert after["items"][0] == items[0]
    assert sidecars(after["items"][1]["spec"]["template"])
    assert '\n    "items": [' in out


def test_what_is_injected_is_left_alone_the_next_time(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    _, once, _ = inject(capsysbinary, "-f", "-", stdin=f"{SERVICE}---\n{DEPLOYMENT}")
    status, twice, err = inject(capsysbinary, "-f", "-", stdin=once)
    assert (status, twice) == (0, once)
    assert "deployment/loans: not injected (already_injected)" in err


def test_a_service_of_another_namespace_does_not_count(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    other = SERVICE.replace("name: loans", "name: loans, namespace: other").replace("http", "8000")
    status, _, err = inject(capsysbinary, "-f", "-", stdin=f"{other}---\n{DEPLOYMENT}")
    assert (status, "port (named_ports)" in err) == (0, True)
    status, _, err = inject(capsysbinary, "-f", "-", "-n", "other", stdin=f"{other}---\n{DEPLOYMENT}")
    assert (status, "not injected (numeric_ports)" in err) == (1, True)


def test_what_cannot_be_injected_stays_as_it_is_with_the_remedy(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    text = f"{SERVICE.replace('http', '8000')}---\n{DEPLOYMENT}"
    status, out, err = inject(capsysbinary, "-f", "-", stdin=text)
    assert (status, out) == (1, text)
    assert "Service loans" in err
    assert "pilotfish.dev/move-argument" in err


def test_what_opts_out_is_no_failure(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    text = DEPLOYMENT.replace("{app: loans}\n    spec", '{app: loans, pilotfish.dev/inject: "false"}\n    spec')
    status, out, err = inject(capsysbinary, "-f", "-", stdin=text)
    assert (status, out) == (0, text)
    assert "opted_out" in err


@pytest.mark.parametrize(("group", "kind"), sorted(CONTROLLED))
def test_a_kind_whose_controller_writes_the_pods_names_the_webhook(
    group: str, kind: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    text = f"apiVersion: {group}/v1\nkind: {kind}\nmetadata: {{name: m}}\n"
    status, out, err = inject(capsysbinary, "-f", "-", stdin=text)
    assert (status, out) == (1, text)
    assert "pilotfish.dev/inject=all" in err


def test_input_without_a_workload_is_a_failure(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    status, out, err = inject(capsysbinary, "-f", "-", stdin=SERVICE)
    assert (status, out) == (1, SERVICE)
    assert "no workload in the input" in err


def test_the_services_of_one_file_count_for_the_workloads_of_another(
    capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(DEPLOYMENT)
    (tmp_path / "b.yaml").write_text(SERVICE.replace("http", "8000"))
    status, out, err = inject(capsysbinary, "-f", str(tmp_path / "a.yaml"), "-f", str(tmp_path / "b.yaml"))
    assert (status, "Service loans" in err) == (1, True)
    assert [one["kind"] for one in yaml.safe_load_all(out)] == ["Deployment", "Service"]


def test_a_monitor_of_the_input_names_the_ports(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    monitor = (
        "apiVersion: pilotfish.dev/v1alpha1\nkind: ModelMonitor\nmetadata: {name: m}\nspec:\n"
        "  targetRef: {apiVersion: apps/v1, kind: Deployment, name: loans}\n  traffic: {ports: [nothing]}\n"
    )
    status, _, err = inject(capsysbinary, "-f", "-", stdin=f"{monitor}---\n{DEPLOYMENT}")
    assert (status, "nothing" in err) == (1, True)


def test_images_can_be_chosen(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    _, out, _ = inject(
        capsysbinary, "-f", "-", "--image", "r.example:5000/pilotfish:2", stdin=f"{SERVICE}---\n{DEPLOYMENT}"
    )
    assert out.count("image: r.example:5000/pilotfish:2\n") == 2
    status, _, err = inject(capsysbinary, "-f", "-", "--image", "a b", stdin=DEPLOYMENT)
    assert (status, "--image is not an image: 'a b'" in err) == (2, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "standard input: no document"),
        ("- 1\n", "standard input (document 1, line 1): the document is not an object"),
        ("a: 1\n", "(document 1, line 1): apiVersion is missing"),
        ("apiVersion: v1\nkind: 3\n", "(document 1, line 1): kind is 3"),
        ("apiVersion: v1\nkind: List\nitems:\n- 1\n", "items[0] is not an object"),
        ("apiVersion: v1\nkind: List\nitems: 1\n", "items is not a list"),
        (DEPLOYMENT.replace("      containers:", "      contains:"), "spec.template.spec.containers is missing"),
        (f"{SERVICE}---\n{DEPLOYMENT.replace('8000', 'x')}", "(document 2, line 8): deployment/loans: spec.template"),
        (DEPLOYMENT.replace("name: model", "nam: model"), "spec.template.spec.containers[0].name is missing"),
        (DEPLOYMENT.replace("{app: loans}\n    spec", "{app: 1}\n    spec"), "metadata.labels.app is 1, not text"),
        (SERVICE.replace("80,", "http,"), "service/loans: spec.ports[0].port is 'http', not an integer"),
        ("apiVersion: apps/v1\nkind: Deployment\nspec: 1\n", "spec is not an object"),
        ("apiVersion: apps/v1\nkind: Deployment\nspec: {template: 1}\n", "spec.template is 1, not an object"),
    ],
)  # fmt: skip
def test_a_bad_manifest_gets_its_document_its_line_and_the_field(
    text: str, expected: str, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    status, out, err = inject(capsysbinary, "-f", "-", stdin=text)
    assert (status, out) == (2, "")
    assert expected in err


def test_a_rollout_that_refers_to_a_deployment_names_it(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    text = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: m}\nspec: {workloadRef: {name: loans}}\n"
    status, _, err = inject(capsysbinary, "-f", "-", stdin=text)
    assert (status, "no pod template" in err) == (1, True)


BROKEN = st.sampled_from([None, 1, True, "x", [], {}, [1], {"a": 1}, -1, [None], {"name": None}])


@st.composite
def broken_pods(draw: st.DrawFn) -> dict[str, Any]:
    """A Deployment of which some values anywhere have another type."""
    found = yaml.safe_load(DEPLOYMENT)
    for _ in range(draw(st.integers(1, 3))):
        parent: Any = found["spec"]["template"]
        while True:
            keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(parent[key], dict | list) and parent[key] and draw(st.booleans()):
                parent = parent[key]
                continue
            parent[key] = copy.deepcopy(draw(BROKEN))
            break
    return found  # type: ignore[no-any-return]


@given(broken_pods())
@settings(max_examples=examples(100))
def test_a_pod_with_values_of_any_type_is_injected_or_refused(found: dict[str, Any]) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    given, out = sys.stdin, sys.stdout
    sys.stdin = SimpleNamespace(buffer=io.BytesIO(f"{SERVICE}---\n{yaml.safe_dump(found)}".encode()))
    sys.stdout = io.TextIOWrapper(io.BytesIO())
    try:
        with suppress(ManifestError):
            assert run(parser.parse_args(["-f", "-"])) in {0, 1}
    finally:
        sys.stdin, sys.stdout = given, out


def test_the_example_of_an_installation_is_injected(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    file = Path(__file__).parents[3] / "docs/examples/cluster/model.yaml"
    status, out, err = inject(capsysbinary, "-f", str(file))
    assert (
        status,
        "deployment/loans: injected, port" in err,
        "deployment/client: not injected (opted_out)" in err,
    ) == (
        0,
        True,
        True,
    )
    assert [one["kind"] for one in yaml.safe_load_all(out)] == ["Service", "Deployment", "Deployment", "ModelMonitor"]
