"""Which rule shares use out, how the tokens of all exchanges are estimated, and the error of shares in simulation."""

from __future__ import annotations

import random
from math import sqrt

import pytest

from pilotfish.sidecar.report.blocks.tokens import TokenCost, TokenReason
from pilotfish.sidecar.resources.accounts import CPU, SHARED, Accounts, CostRules, UsageWindow
from pilotfish.sidecar.resources.token_reporting import rule_shares, token_costs
from pilotfish.sidecar.resources.totals import ResourceTotals
from pilotfish.sidecar.resources.work import COUNTED, Work, WorkMeter
from pilotfish.sidecar.settings.document import AttributionSettings, Model, Prices
from tests.resources.language_plant import Engine, TokenLoad, simulate_tokens

SECOND = 10**9
CHAT, SUMMARY, LIST = "POST /v1/chat/completions", "POST /v1/completions", "GET /v1/models"
OTHER_MODEL = "POST /v1/models/big/versions/2:predict"
PRICES = Prices(cpu_hour=3600.0)


def language(prompt: int, completion: int, *, cached: int = 0, exchanges: int = 1) -> Work:
    work = Work()
    for _ in range(exchanges):
        work.add_tokens(COUNTED, {"prompt": prompt, "completion": completion, "cached": cached}, SECOND)
    return work


def rules(rule: str = "auto", weight: float | None = 4.0) -> CostRules:
    settings = AttributionSettings(rule=rule, completion_weight=weight)  # type: ignore[arg-type]  # the parameter's name
    return CostRules(model=Model(name="m", version="1"), prices=PRICES, attribution=settings)


def shared(window: UsageWindow, applied: CostRules) -> dict[str, float]:
    """Return the CPU seconds by route."""
    accounts = Accounts(ResourceTotals())
    accounts.add(window, applied)
    return {key[-1]: amount / SECOND for key, amount in accounts.totals.of(SHARED) if key[0] == CPU}


def window(in_flight: dict[str, int], work: dict[str, Work], seconds: float = 12.0) -> UsageWindow:
    times = {route: amount * SECOND for route, amount in in_flight.items()}
    return UsageWindow(elapsed_ns=SECOND, in_flight=times, measured={CPU: round(seconds * SECOND)}, work=work)


def test_routes_of_one_language_model_share_by_tokens_what_they_have_together() -> None:
    both = window({CHAT: 1, SUMMARY: 1, LIST: 2}, {CHAT: language(100, 100), SUMMARY: language(1500, 250, cached=1000)})
    assert shared(both, rules()) == {CHAT: 1.5, SUMMARY: 4.5, LIST: 6.0}
    assert shared(both, rules("inFlight")) == {CHAT: 3.0, SUMMARY: 3.0, LIST: 6.0}


def test_without_a_weight_or_with_one_route_equal_in_flight_time_applies() -> None:
    both = window({CHAT: 1, SUMMARY: 1}, {CHAT: language(100, 100), SUMMARY: language(1500, 250)})
    assert shared(both, rules(weight=None)) == {CHAT: 6.0, SUMMARY: 6.0}
    assert shared(window({CHAT: 1, LIST: 1}, {CHAT: language(1, 9)}), rules()) == {CHAT: 6.0, LIST: 6.0}


def test_models_are_compared_by_tokens_only_if_the_document_says_so() -> None:
    both = window({CHAT: 1, OTHER_MODEL: 1}, {CHAT: language(100, 0), OTHER_MODEL: language(300, 0)})
    assert shared(both, rules()) == {CHAT: 6.0, OTHER_MODEL: 6.0}
    assert shared(both, rules("tokens")) == {CHAT: 3.0, OTHER_MODEL: 9.0}


def test_rows_share_out_use_only_if_the_document_says_so() -> None:
    one, many = Work(), Work()
    one.add_rows(1, SECOND)
    many.add_rows(11, SECOND)
    both = window({CHAT: 1, SUMMARY: 1}, {CHAT: one, SUMMARY: many})
    assert shared(both, rules()) == {CHAT: 6.0, SUMMARY: 6.0}
    assert shared(both, rules("rows")) == {CHAT: 1.0, SUMMARY: 11.0}


def test_a_window_before_the_end_of_its_requests_is_shared_by_the_tokens_of_earlier_ones() -> None:
    accounts = Accounts(ResourceTotals())
    accounts.add(window({CHAT: 1, SUMMARY: 1}, {CHAT: language(100, 0), SUMMARY: language(300, 0)}, 0.0), rules())
    accounts.add(window({CHAT: 3, SUMMARY: 1}, {}), rules())
    totals = accounts.totals
    assert [totals.get(SHARED, CPU, "m", "1", route) for route in (CHAT, SUMMARY)] == [6 * SECOND, 6 * SECOND]
    assert [(each.rule, each.ratio) for each in rule_shares(totals)] == [("tokens", 1.0)]


def test_work_of_a_route_without_a_slot_belongs_to_the_other_routes() -> None:
    accounts = Accounts(ResourceTotals())
    accounts.add(window({"other": 1}, {"POST /rare": language(5, 5), "POST /rarer": language(7, 5)}), rules())
    (found,) = token_costs(accounts.totals, {CPU}, {}, priced=True)
    assert (found.prompt, found.counted) == (12, 2)


def cost(answered: int, work: Work, *, known: bool = True) -> TokenCost:
    accounts = Accounts(ResourceTotals())
    seen = window({CHAT: 1}, {CHAT: work})
    accounts.add(
        UsageWindow(
            elapsed_ns=SECOND,
            in_flight=seen.in_flight,
            measured=seen.measured if known else {},
            work=seen.work,
            answered={CHAT: answered},
        ),
        rules(),
    )
    (found,) = token_costs(
        accounts.totals, {CPU} if known else set(), accounts.completion_weights(rules()), priced=True
    )
    return found


def test_the_cost_of_a_million_tokens_adds_up_to_what_was_measured() -> None:
    found = cost(4, language(1000, 250, cached=600, exchanges=4))
    assert (found.exchanges, found.counted, found.unknown, found.error_ratio) == (4, 4, {}, 0.0)
    assert (found.prompt, found.completion, found.cached) == (4000, 1000, 2400)
    assert found.cost_per_million == pytest.approx(12.0 / 5000 * 1e6)
    assert found.cpu_seconds_per_million == pytest.approx(12.0 / 5000 * 1e6)
    assert found.cost_per_million_prompt is not None
    assert found.cost_per_million_completion == 4 * found.cost_per_million_prompt
    parts = 1600 * found.cost_per_million_prompt + 1000 * found.cost_per_million_completion
    assert parts == pytest.approx(12.0 * 1e6)
    assert (found.gpu_seconds_per_million, found.joules_per_million, found.advice) == (None, None, "")


def test_tokens_that_are_not_known_are_estimated_with_an_error_and_named() -> None:
    work = language(100, 10, exchanges=3)
    work.add_tokens("stream", {}, SECOND)
    found = cost(10, work)
    assert found.unknown == {"not_recorded": 6, "stream": 1}
    assert (found.exchanges, found.counted, found.prompt) == (10, 3, 300)
    assert (found.estimated_prompt, found.estimated_completion) == (1000.0, 100.0)
    assert TokenReason.NOT_RECORDED.remedy in found.advice
    assert found.error_ratio == 0.0, "all counted exchanges are alike"


def test_a_part_of_the_counts_is_counted_and_the_rest_is_not_known() -> None:
    work = Work()
    work.add_tokens("partial", {"completion": 7}, SECOND)
    found = cost(1, work)
    assert (found.prompt, found.completion, found.unknown) == (0, 7, {"partial": 1})
    assert (found.estimated_prompt, found.cost_per_million_prompt) == (None, None)


def test_without_a_measured_resource_there_is_no_cost_and_not_0() -> None:
    found = cost(1, language(10, 10), known=False)
    assert (found.prompt, found.cost_per_million, found.cost_per_million_prompt) == (10, None, None)


@pytest.mark.long
def test_the_error_of_an_estimate_covers_the_truth() -> None:
    source, inside, rounds = random.Random(3), 0, 400
    for _ in range(rounds):
        truth = [round(source.expovariate(1 / 300)) for _ in range(500)]
        work = Work()
        for tokens in truth:
            told = {"prompt": 0, "completion": tokens} if source.random() < 0.3 else {}
            work.add_tokens(COUNTED if told else "stream", told, SECOND)
        found = cost(500, work)
        assert found.estimated_completion is not None
        assert found.error_ratio is not None
        inside += abs(found.estimated_completion - sum(truth)) <= found.error_ratio * found.estimated_completion
    assert abs(inside / rounds - 0.95) < 4 * sqrt(0.95 * 0.05 / rounds)


def test_the_meter_gives_the_work_since_the_last_time() -> None:
    meter = WorkMeter()
    meter.add_tokens(CHAT, COUNTED, {"prompt": 3}, SECOND)
    meter.add_rows(CHAT, 5, SECOND)
    taken = meter.take()[CHAT]
    assert (taken.tokens, taken.rows, taken.weighed_ns) == ({"prompt": 3}, 5, SECOND)
    assert meter.take() == {}


# the figures of docs/cost.md: loads, largest error by tokens, and whether equal in-flight time is far worse
CHATS, SUMMARIES = (CHAT, 100, 300), (SUMMARY, 3000, 60)
SIMULATED = {
    "alone": (0.2, 0.2, 1.0, Engine(), 0.06, False),
    "light": (1.0, 1.0, 1.0, Engine(), 0.08, False),
    "usual": (3.0, 2.0, 1.0, Engine(), 0.08, True),
    "counts in a part of the streams": (3.0, 2.0, 0.3, Engine(), 0.08, True),
    "busy": (6.0, 4.0, 1.0, Engine(), 0.16, True),
    "small model": (3.0, 2.0, 1.0, Engine(step=2, read=0.005, write=0.01), 0.18, False),
}


@pytest.mark.long
@pytest.mark.parametrize("name", SIMULATED)
def test_the_error_by_tokens_in_simulation_is_the_documented_one(name: str) -> None:
    chats, summaries, told, engine, bound, worse = SIMULATED[name]
    route, prompt, completion = CHATS
    other, other_prompt, other_completion = SUMMARIES
    loads = (
        TokenLoad(route, chats, prompt, completion, told),
        TokenLoad(other, summaries, other_prompt, other_completion),
    )
    found = {
        rule: simulate_tokens(
            loads, AttributionSettings(rule=rule), seconds=300, source=random.Random(1), engine=engine
        )
        for rule in ("auto", "inFlight")
    }
    for outcome in found.values():
        assert sum(outcome.attributed.values()) + outcome.idle == outcome.measured
    largest = {rule: max(map(abs, outcome.errors.values())) for rule, outcome in found.items()}
    assert largest["auto"] <= bound, found["auto"].errors
    assert (largest["inFlight"] > 2 * largest["auto"] + 0.2) == worse, largest


@pytest.mark.long
def test_a_queue_that_hides_the_weight_leaves_equal_in_flight_time() -> None:
    loads = (TokenLoad(CHAT, 5.0, 100, 300), TokenLoad(SUMMARY, 5.0, 1500, 60))
    found = {
        rule: simulate_tokens(
            loads, AttributionSettings(rule=rule), seconds=200, source=random.Random(1), engine=Engine(running=12)
        )
        for rule in ("auto", "inFlight")
    }
    assert found["auto"].attributed == found["inFlight"].attributed
