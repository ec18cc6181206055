"""What makes live ticks differ from those that a profile was measured on.

`replay` prints these warnings, and the report of a sidecar shows them. Evidence stays valid, but it is found late, or
rests on variation that nobody measured.
"""

from __future__ import annotations

from ..profile.profile import Profile
from ..settings import DriftSettings
from ..timezones import UTC

DENSITY_WARNING_RATIO = 10.0


def reference_warnings(profile: Profile, settings: DriftSettings, density: float | None) -> tuple[str, ...]:
    """Return all warnings: those about the settings, and the one about the density of live ticks."""
    dense = density_warning(density)
    return (*tick_warnings(profile, settings), *([dense] if dense else ()))


def tick_warnings(profile: Profile, settings: DriftSettings) -> tuple[str, ...]:
    """Return a warning for each way in which the settings do not fit the reference of a profile."""
    reference = profile.reference
    if reference.tick_seconds is None:
        return ()
    live, measured = settings.tick_seconds, reference.tick_seconds
    longest = reference.longest_block * measured
    slots = [feature.slots for feature in profile.features if feature.slots is not None]
    unresolved = [one for one in slots if not one.resolved(live)]
    found = []
    if reference.order == "time" and live < measured:
        found.append(
            f"a tick is {live:g} s, but the variance of the reference was measured over {measured:g} s and more: "
            f"bursts within {measured:g} s are unknown; build the profile with ticks of {live:g} s"
        )
    if reference.order == "time" and live > longest:
        found.append(
            f"a tick is {live:g} s, but the variance of the reference was measured over at most {longest:g} s, an "
            "eighth of its length: the false-alarm budget may not hold; use shorter ticks, or a longer reference"
        )
    if unresolved:
        shortest = min(one.kind.seconds for one in unresolved)
        found.append(
            f"a tick is {live:g} s, so {len(unresolved)} features with a cycle are compared with the whole reference "
            f"instead of the same hour: their drift is found late; use ticks of {shortest:g} s or less"
        )
    if slots and settings.timezone not in {UTC, slots[0].timezone}:
        found.append(
            f"the profile compares the hours of {slots[0].timezone}, not those of {settings.timezone}: "
            f"build it with --timezone {settings.timezone}"
        )
    return tuple(found)


def density_warning(density: float | None) -> str:
    """Return a warning if the last tick was so dense that its evidence was divided almost to nothing; else empty."""
    if density is None or density <= DENSITY_WARNING_RATIO:
        return ""
    return (
        f"a tick has {density:,.0f} times the rows of a tick of the reference, and the evidence of slow effects is "
        "divided accordingly: drift is found late or never; build the profile from traffic of the same density, that "
        "of all pods if there are several; if rows are replayed faster than they happened, build it without times"
    )
