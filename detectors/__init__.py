"""Statistics of drift, as pure functions: numpy in, numbers out; no I/O, no clock, no import from the sidecar.

Packages and modules, in the order of the data
----------------------------------------------
batch, columns   rows as named columns; their types, timestamps and joining
binning          map values to the bins of a feature
losses           the error of a labelled row
transforms       columns that are derived from other columns
evalues          likelihood ratios of the alternatives, and upper bounds on their means
profile          the immutable description of the reference
reference        build a profile from reference rows
summaries        integer counts of a tick, and windows of the past; counts of several pods add up exactly
detection        evidence, alarms within the false-alarm budget, episodes
comparisons      effect sizes, for people
performance      realized and estimated loss
schema           checks of the values in a JSON document
quality          findings about rows, which are not alarms
conformance      checks that hold for every class of a kind

Data flow
---------
reference rows -> `reference.build.build_profile` -> Profile
                                                       |
rows -> Batch -> TickCounts.add -> Counts (added up over pods) -> DriftMonitor.close_tick -> TickResult
                                                                               `.status -> MonitorStatus

Each package's docstring explains its terms. Terms of the whole project: docs/glossary.md. Mathematics and the
guarantee: docs/detection.md.
"""
