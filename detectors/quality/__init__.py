"""Data quality: problems of the recent rows, whatever their distribution.

A finding is a reason to investigate, not an alarm. It opens when the share of affected rows exceeds what the
reference explains, closes when the share falls, and uses none of the false-alarm budget.

kind              meaning
----------------  -----------------------------------------------------------------------------------------------
constant_column   a feature that varied in the reference has one value, or one bin of values, in all recent rows
duplicate_rows    rows repeat each other far more often than in the reference
missing_column    rows lack a column of the profile
new_column        rows carry a column that the reference does not have
renamed_column    a column is missing, and a column with a similar name is new
type_change       values of another type than the feature's: numbers as text, objects instead of names
width_mismatch    rows without names, with more or fewer values than the profile has columns

Terms
-----
finding         a data-quality problem of recent rows
recent rows     the rows of the last 30 to 60 closed ticks
unknown column  a column of live rows that the profile does not have
unseen value    a category that the reference does not have

Data flow
---------
Batch -> `monitor.QualityMonitor.observe` (with `duplicates`) -> `statistics.TickStatistics`
Counts of a closed tick -> `QualityMonitor.close_tick` -> `findings.find` -> Finding

The monitor runs in each pod beside counting. Terms of the whole package: docs/glossary.md.
"""
