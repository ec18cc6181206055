"""promtool accepts the rules, and each alert fires for its fault, not before it, and not after it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from dashboards.alerts import GROUPS
from dashboards.alerts.rule import text_of
from tests.alerts.cases import CASES, POD, Case
from tests.dashboards.test_chart_real import HELM
from tests.helm.render import CHART
from tests.support.programs import find, needs, needs_built
from tests.support.waiting import patient

pytestmark = [pytest.mark.real, needs("promtool")]
ROOT = Path(__file__).resolve().parents[2]
RULE_FILE = ROOT / "helm/files/rules.yaml"
OBJECTIVES = "rules.availability=0.95,rules.latency=0.9"


def checked(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=patient(120))
    assert done.returncode == 0, done.stdout + done.stderr


def filled(case: Case) -> list[dict[str, str]]:
    """Return the series with the lengths of their phases. `AxN` is A and N more, so N is one less than the steps."""
    per_minute = 60
    numbers = {
        "{healthy}": str(case.healthy - 1),
        "{faulty}": str(case.faulty - 1),
        "{whole}": str(2 * case.healthy + case.faulty - 1),
        "{gap}": str(case.faulty),  # `_xN` is N, not one more
        "{held}": str(per_minute * case.faulty),
        "{flat}": str(per_minute * case.healthy),
    }
    found = []
    for name, values in case.series:
        text = values
        for mark, number in numbers.items():
            text = text.replace(mark, number)
        found.append({"series": name, "values": text})
    return found


def firing(alert: str, minutes: int, times: int) -> dict[str, object]:
    samples = [{"labels": "{}", "value": times}] if times else []
    expr = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'
    return {"expr": expr, "eval_time": f"{minutes}m", "exp_samples": samples}


def test_promtool_accepts_the_rules() -> None:
    checked(find("promtool") or "", "check", "rules", "--lint=all", "--lint-fatal", str(RULE_FILE))


def run_case(alert: str, case: Case, series: list[dict[str, str]], folder: Path) -> None:
    """Let promtool check that the alert fires at the end of the fault in the series, not before, and not later."""
    begins, ends = case.step * case.healthy, case.step * (case.healthy + case.faulty)
    after = ends + case.step * case.healthy - case.step
    if alert == "PilotfishFalseAlarmBudgetSpent":  # ends 30 days after the alarms
        after = case.step * (2 * case.healthy + case.faulty) + 60 * 24 * 16
    test = {
        "interval": f"{case.step}m",
        "input_series": series,
        "promql_expr_test": [
            firing(alert, begins - case.step, 0),
            firing(alert, ends - case.step, 1),
            firing(alert, after, 0),
        ],
    }
    path = folder / "test.yml"
    content = {
        "rule_files": [str(RULE_FILE)],
        "evaluation_interval": f"{case.step}m",
        "group_eval_order": [group.name for group in GROUPS],  # else at random: a step late if an alert comes first
        "tests": [test],
    }
    path.write_text(yaml.safe_dump(content))
    checked(find("promtool") or "", "test", "rules", str(path))


@pytest.mark.parametrize("alert", sorted(CASES))
def test_an_alert_fires_for_its_fault_and_ends_with_it(alert: str, tmp_path: Path) -> None:
    run_case(alert, CASES[alert], filled(CASES[alert]), tmp_path)


def native(fast: int, slow: int) -> str:
    """Return a native histogram of responses with one bound at 1 s, in promtool's notation."""
    return f"{{{{schema:-53 count:{fast + slow} sum:{fast} custom_values:[1] buckets:[{fast} {slow}]}}}}"


@needs_built("promtool")
@pytest.mark.parametrize("alert", ["PilotfishLatencyBudgetBurnFast", "PilotfishLatencyBudgetBurnSlow"])
def test_an_alert_about_latency_reads_native_histograms(alert: str, tmp_path: Path) -> None:
    case, rate = CASES[alert], 60
    fast, slow = rate * case.healthy, rate * case.faulty
    phases = (
        f"{native(0, 0)}+{native(rate, 0)}x{case.healthy - 1}",
        f"{native(fast, 0)}+{native(0, rate)}x{case.faulty - 1}",
        f"{native(fast, slow)}+{native(rate, 0)}x{case.healthy - 1}",
    )
    (info,) = (item for item in filled(case) if item["series"].startswith("pilotfish_model_info"))
    name = f'pilotfish_time_to_first_byte_seconds{{{POD},route="/p"}}'
    run_case(alert, case, [info, {"series": name, "values": " ".join(phases)}], tmp_path)


@pytest.mark.skipif(not HELM, reason="no Helm: .ci/helm > build/helm")
@pytest.mark.parametrize("helm", HELM, ids=lambda path: path.name)
def test_the_chart_renders_the_rules_with_its_objectives(helm: Path, tmp_path: Path) -> None:
    chosen = "rules.runbooks=https://wiki.example/r,rules.labels.release=mon"
    kinds = ("--api-versions", "monitoring.coreos.com/v1/PrometheusRule")
    more = ("--set", chosen, "--set-string", "rules.seconds=0.316", "--set-json", OBJECTIVES)
    done = subprocess.run([helm, "template", "p", CHART, *kinds, *more], capture_output=True, text=True, check=True)
    (found,) = (item for item in yaml.safe_load_all(done.stdout) if item and item["kind"] == "PrometheusRule")
    assert found["metadata"]["labels"]["release"] == "mon"
    expected = yaml.safe_load(
        text_of(GROUPS)
        .replace("vector(0.999)", "vector(0.95)")
        .replace("vector(0.99)", "vector(0.9)")
        .replace('le="1.0"', 'le="0.316"')
        .replace("histogram_fraction(0,1.0,", "histogram_fraction(0,0.316,")
        .replace("later than 1 s", "later than 0.316 s")
        .replace("https://pilotfish.example/docs/runbooks", "https://wiki.example/r")
    )
    assert found["spec"] == expected
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(found["spec"]))
    checked(find("promtool") or "", "check", "rules", str(path))
    without = subprocess.run([helm, "template", "p", CHART], capture_output=True, text=True, check=True)
    assert "PrometheusRule" not in without.stdout
