"""Binning: map each value of a column to one bin of its feature.

Binning is the only work that a pod does for each row. All later steps use integer counts per bin.

Terms
-----
bin        one interval or category of a feature; every row falls into exactly one bin
role       what a bin stands for: value, tail, missing, unseen, below, above, far, inf
atom       a single value that has a bin of its own
digitize   map the values of a column to bin numbers
tail       hash buckets for the rare categories that have no bin of their own
open       a vocabulary with too many categories to recognise an unseen one

Data flow
---------
reference values -> `NumericBins.from_values`, `CategoryBins.from_values`, `LossBins.from_losses` -> profile
live column      -> `bins.digitize` -> bin numbers [rows], number of values with the wrong type

`digitize` never raises, whatever the values are. Bins are immutable and are stored in the profile as plain documents
(`document`, `from_document`). Terms of the whole package: docs/glossary.md.
"""
