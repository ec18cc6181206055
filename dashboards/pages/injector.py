"""The sections about the injector, and about the certificates of injector and controller."""

from __future__ import annotations

from ..model import ZERO_IS_BAD, ZERO_IS_GOOD, Panel, Section, Steps, Target
from ..queries import growth, largest, quantile_of, total

NO_INJECTOR = "no injector is scraped"
NOT_ASKED = "already_injected|not_selected|opted_out"  # reasons of pods for which nobody wanted sidecars
REFUSED = f'pilotfish_injections_total{{mode="none", reason!~"{NOT_ASKED}"}}'
_DAY = 86_400
_EXPIRY: Steps = ((None, "red"), (_DAY, "yellow"), (2 * _DAY, "green"))  # serving certificates live for 7 days
_TIME_LIMIT: Steps = ((None, "green"), (1, "yellow"), (5, "red"))

INJECTOR = Section(
    "Injector",
    (
        Panel(
            "lines",
            "Admitted pods",
            "Pods that were admitted, by mode of interception; none means without sidecars.",
            (Target(total(growth("pilotfish_injections_total"), "mode"), "{{mode}}"),),
            empty=NO_INJECTOR,
            share=True,
        ),
        Panel(
            "lines",
            "Pods without sidecars, by reason",
            "Pods that asked for sidecars and got none, by reason; the annotation of the pod has the remedy.",
            (Target(total(growth(REFUSED), "reason"), "{{reason}}"),),
            empty="every pod that asked for sidecars got them",
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "lines",
            "New pods by resources",
            "New pods of monitors that resize in place: sized with the recommended resources, or kept as the template "
            "has them, with the reason.",
            (Target(total(growth("pilotfish_sized_pods_total"), "outcome", "reason"), "{{outcome}} {{reason}}"),),
            empty="no monitor resizes pods in place",
        ),
        Panel(
            "state",
            "Injector ready",
            "Which replica of the injector could decide.",
            (Target("max by (pod) (pilotfish_injector_ready)", "{{pod}}"),),
            empty=NO_INJECTOR,
            steps=ZERO_IS_BAD,
            states=(("0", "not ready", "red"), ("1", "ready", "green")),
        ),
        Panel(
            "lines",
            "Reviews",
            "Admission reviews per second by outcome; after failed, a pod was admitted as it is or refused.",
            (Target("sum by (outcome) (rate(pilotfish_admission_reviews_total[$__rate_interval]))", "{{outcome}}"),),
            unit="reqps",
            empty=NO_INJECTOR,
        ),
        Panel(
            "lines",
            "Time of a review",
            "Quantiles of the time of an admission review; the API server waits for a few seconds.",
            tuple(
                Target(
                    quantile_of(
                        share, "pilotfish_admission_review_seconds", lambda name: f"rate({name}[$__rate_interval])"
                    ),
                    f"p{share * 100:.0f}",
                )
                for share in (0.5, 0.95, 0.99)
            ),
            unit="s",
            empty="no pod was admitted",
            steps=_TIME_LIMIT,
        ),
        Panel(
            "lines",
            "Age of the injector's data",
            "Time since the API server last sent something about a kind; it sends a bookmark each minute.",
            (Target(largest("pilotfish_mirror_age_seconds", "pod", "kind"), "{{pod}} {{kind}}"),),
            unit="s",
            empty=NO_INJECTOR,
            steps=((None, "green"), (120, "yellow"), (600, "red")),
        ),
        Panel(
            "lines",
            "Objects in memory",
            "Objects of the API server that the injector knows, by kind.",
            (Target(largest("pilotfish_mirror_objects", "kind"), "{{kind}}"),),
            empty=NO_INJECTOR,
        ),
        Panel(
            "lines",
            "Bundles of certificates",
            "Objects whose bundle is not the present one, and writes after others had changed a bundle.",
            (
                Target(largest("pilotfish_ca_outdated", "object"), "outdated {{object}}"),
                Target(total(growth("pilotfish_ca_repairs_total"), "object"), "repaired {{object}}"),
            ),
            empty=NO_INJECTOR,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "lines",
            "Time until a certificate expires",
            "Time until the certificates of controller and injector expire; those that they manage are renewed early.",
            (
                Target(
                    "min by (pod, name) (pilotfish_certificate_expiry_timestamp_seconds) - time()", "{{pod}} {{name}}"
                ),
            ),
            unit="s",
            empty="no process serves a certificate",
            steps=_EXPIRY,
        ),
    ),
)
