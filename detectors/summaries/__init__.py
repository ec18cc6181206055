"""Summaries of live traffic: integer counts of a tick, and windows of the past.

Terms
-----
counts         integers per feature and bin for one tick; counts of several pods add up exactly
mismatch       a value whose type differs from the feature's type
absent         rows of a request that lacks the column; they are in no bin
tick           the unit of time of detection, 60 s by default
window         counts of consecutive closed ticks: single ticks, then hours, then days
heavy hitters  the most frequent unseen values, in bounded memory
observed       a column that live traffic has carried at least once; other columns raise no alarm

Data flow
---------
Batch -> `counts.TickCounts` -> Counts -> (added up over pods) -> `observed_columns` -> `windows.Windows`

The law of merging: counting two parts and adding gives the counts of the whole, to the bit. Heavy hitters, for people,
keep an error bound instead. Terms of the whole package: docs/glossary.md.
"""
