"""Pure statistics of drift: numpy in, numbers out; no I/O, no clock, nothing of the sidecar.

Words
-----
profile      immutable description of the reference rows: bins, counts of two parts, inflations (`profile`, `build`)
cell         a bin of one feature; every row falls into exactly one (`binning`)
counts       integers per feature and cell of one tick; they add up exactly (`summaries`)
function     h: how much likelier each cell is under one alternative than under the reference (`bank`)
bound        U: the largest mean that h can have without drift, reference error and tolerance included (`bounds`)
rung         one of a few bounds of a function, the higher the more certain; drift must show against each (`bounds`)
slot         an hour of the day (UTC), for features with a cycle of a day: functions and bounds of their own (`slots`)
inflation    v: how much more sums over blocks of time vary than over independent rows (`blocks`)
evidence     R: grows by the factor (h / U)^(1/v) a row; its false alarms are bounded for ever (`sequential`)
family       features that share a part of the budget (`tables`, `family`)
alarm        the evidence of a family reached its threshold; features are named by e-BH (`attribution`)
episode      one cause, from the alarm to the recovery (`episodes`)
effect size  how large a change is, for people; raises nothing (`effects`, `comparisons`, `windows`)

The way of the data
-------------------
reference rows -> build_profile -> Profile
                                     |
rows -> Batch -> TickCounts.add -> Counts (added up over pods) -> DriftMonitor.close_tick -> TickResult
                                                                               `.status -> MonitorStatus
"""
