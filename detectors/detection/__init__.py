"""Detection: evidence of each tick, alarms within the false-alarm budget, episodes, and replay.

Terms
-----
increment (L)        the change of the log evidence of an alternative in one tick
evidence (R)         the Shiryaev-Roberts statistic of an alternative; its false alarms are bounded
onset                the estimated first tick of a change
family               features that share one part of the false-alarm budget
threshold (A)        the evidence at which a family raises an alarm: ticks per false alarm over the family's share
evidence ratio       evidence over the threshold; 1 means alarm
threshold crossing   the internal event behind an alarm
confirmed feature    a feature that the e-BH procedure names at a false discovery rate of 10 %
episode              the time from an alarm to the recovery of all its features: one cause
related families     families that observe the same causes: features and multivariate
recovery test        the sequential test that ends a feature's part in an episode
density              live rows per tick over reference rows per tick; above 1, evidence is divided by it

Data flow
---------
Profile, DriftSettings -> `family_tables` -> `tables`
Counts of a tick -> `monitor.DriftMonitor.close_tick` -> each `family.FamilyDetector.step`
    `tables` (increments) -> `sequential` (evidence) -> `attribution` (features) -> `episodes`, `shared_causes`,
    `recoveries`
-> `results.TickResult` (alarms, changes of episodes), `results.MonitorStatus`
stored rows -> `replay.Replay` -> the same monitor

The monitor is a deterministic function of the closed ticks. Terms of the whole package: docs/glossary.md.
"""
