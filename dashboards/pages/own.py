"""Pilotfish itself: whether every exchange is accounted for, and whether sidecars and controller are well."""

from __future__ import annotations

from ..model import FULL, SHARE_LOST, ZERO_IS_GOOD, Page, Panel, Section, Steps, Target
from ..queries import equal, grown, how_many, largest, rate, ratio, series, total, worst_pods
from .controller import CONTROLLER, SYNC
from .injector import INJECTOR
from .nodes import NODES
from .variables import ALL_PODS, NAMESPACE

NO_SIDECAR = "no sidecar is scraped"
_PROXY_START = series("pilotfish_proxy_start_time_seconds")
_CHECKPOINT: Steps = ((None, "green"), (3600, "yellow"))


NOW = Section(
    "Now",
    (
        Panel(
            "stat",
            "Proxies down",
            "Sidecars whose proxy has no recent heartbeat.",
            (Target(how_many(series("pilotfish_proxy_up"), "== 0")),),
            empty=NO_SIDECAR,
            width=4,
            height=4,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "stat",
            "No analyzer",
            "Proxies that are not connected to their analyzer, so that exchanges are dropped.",
            (Target(how_many(series("pilotfish_reader_connected"), "== 0")),),
            empty=NO_SIDECAR,
            width=4,
            height=4,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "stat",
            "Not ready",
            "Sidecars that measure none of their traffic.",
            (Target(how_many(series("pilotfish_ready"), "== 0")),),
            empty=NO_SIDECAR,
            width=4,
            height=4,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "stat",
            "Warnings",
            "Warnings of all reports, such as a document that cannot be used, or a full disk.",
            (Target(total(series("pilotfish_warnings"))),),
            empty=NO_SIDECAR,
            width=4,
            height=4,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "stat",
            "Leaders",
            "Replicas of the controller that lead; it must be exactly 1.",
            (Target("sum(pilotfish_control_leader)"),),
            empty="no controller is scraped",
            width=4,
            height=4,
            steps=((None, "red"), (1, "green"), (2, "red")),
        ),
        Panel(
            "stat",
            "Releases",
            "Releases of Pilotfish that run in the selected pods; more than one during an upgrade only.",
            (Target(f"count(count by (version) ({series('pilotfish_build_info')}))"),),
            empty=NO_SIDECAR,
            width=4,
            height=4,
            steps=((None, "green"), (2, "yellow")),
        ),
    ),
)
ACCOUNT = Section(
    "Every exchange by outcome",
    (
        Panel(
            "lines",
            "Exchanges by outcome",
            "Exchanges per second by outcome and reason; together with those under way they add up to those seen.",
            (Target(total(rate("pilotfish_exchanges_total"), "fate", "reason"), "{{fate}} {{reason}}"),),
            unit="reqps",
            empty=NO_SIDECAR,
            share=True,
        ),
        Panel(
            "lines",
            "Dropped exchanges",
            "Share of the exchanges that the proxy did not hand over, by reason.",
            (
                Target(
                    f"({total(rate('pilotfish_exchanges_total', equal('fate', 'dropped')), 'reason')})"
                    f" / on () group_left () ({total(rate('pilotfish_exchanges_seen_total'))} > 0) > 0",
                    "{{reason}}",
                ),
            ),
            unit="percentunit",
            empty="nothing was dropped",
            steps=SHARE_LOST,
        ),
        Panel(
            "lines",
            "Queued exchanges",
            "Exchanges between proxy and analyzer, of the ten pods with most; many mean a slow analyzer.",
            (Target(worst_pods(series("pilotfish_exchanges_queued")), "{{pod}}"),),
            empty=NO_SIDECAR,
        ),
    ),
)
SIDECARS = Section(
    "Sidecars",
    (
        Panel(
            "lines",
            "Pods by release",
            "Pods that run each release of Pilotfish.",
            (Target(f"count by (version) ({series('pilotfish_build_info')})", "{{version}}"),),
            empty=NO_SIDECAR,
        ),
        Panel(
            "lines",
            "Injected pods by release",
            "Pods that the controller sees with a sidecar, by release, and those of another release than its own.",
            (
                Target("max by (release) (pilotfish_sidecars)", "release {{release}}"),
                Target("max(pilotfish_sidecars_outdated)", "outdated"),
            ),
            empty="no controller is scraped",
            steps=((None, "green"),),
        ),
        Panel(
            "lines",
            "Age of the analyzer",
            "Time since the analyzer started, of the ten youngest; short ages that return are restarts.",
            (
                Target(
                    f"bottomk(10, time() - {largest(series('process_start_time_seconds'), 'namespace', 'pod')})",
                    "{{pod}}",
                ),
            ),
            unit="s",
            empty=NO_SIDECAR,
        ),
        Panel(
            "lines",
            "Age of the proxy",
            "Time since the proxy started, of the ten youngest.",
            (
                Target(
                    f"bottomk(10, time() - {largest(_PROXY_START, 'namespace', 'pod')})",
                    "{{pod}}",
                ),
            ),
            unit="s",
            empty=NO_SIDECAR,
        ),
        Panel(
            "lines",
            "CPU",
            "Cores that analyzer or controller use, of the ten pods with most.",
            (Target(f"topk(10, {total(rate('process_cpu_seconds_total'), 'namespace', 'pod')})", "{{pod}}"),),
            unit="cores",
            empty=NO_SIDECAR,
        ),
        Panel(
            "lines",
            "Memory",
            "Resident memory of analyzer or controller, of the ten pods with most.",
            (Target(worst_pods(series("process_resident_memory_bytes")), "{{pod}}"),),
            unit="bytes",
            empty=NO_SIDECAR,
        ),
        Panel(
            "lines",
            "File descriptors of the limit",
            "Open file descriptors, divided by their limit.",
            (
                Target(
                    "topk(10, "
                    + ratio(
                        largest(series("process_open_fds"), "namespace", "pod"),
                        largest(series("process_max_fds"), "namespace", "pod"),
                    )
                    + ")",
                    "{{pod}}",
                ),
            ),
            unit="percentunit",
            empty=NO_SIDECAR,
            steps=FULL,
        ),
        Panel(
            "lines",
            "Age of the checkpoint",
            "Time since the last checkpoint; it grows without traffic, because nothing has to be written.",
            (Target(worst_pods(series("pilotfish_checkpoint_age_seconds")), "{{pod}}"),),
            unit="s",
            empty="no checkpoint yet",
            steps=_CHECKPOINT,
        ),
        Panel(
            "lines",
            "Failed checkpoints",
            "Checkpoints that could not be written, such as on a full disk.",
            (Target(f"topk(10, {total(grown('pilotfish_checkpoint_failures_total'), 'pod')})", "{{pod}}"),),
            empty=NO_SIDECAR,
            steps=ZERO_IS_GOOD,
        ),
    ),
)
PAGE = Page(
    "own",
    "Pilotfish / Pilotfish itself",
    "The outcome of every exchange, and the state of sidecars, controller and injector.",
    (NAMESPACE, ALL_PODS),
    (NOW, ACCOUNT, SIDECARS, SYNC, CONTROLLER, INJECTOR, NODES),
)
