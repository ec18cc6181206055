"""Columns before binning.

Terms
-----
column type   what a column holds: numeric, integer, boolean, categorical, constant, array, text or timestamp
kind          the types that are binned directly; array, text and timestamp columns need a transform
identifier    a column whose values are mostly new in the other part of the reference
period label  a column of batches, days or releases: new values keep arriving
epoch seconds a point in time as seconds since 1970-01-01 UTC

Data flow
---------
reference column -> `inference.infer_type` -> type, and the reasons to exclude a column
batches          -> `joining` -> one column for many small batches
timestamps       -> `timestamps.epoch_seconds` -> numbers

Terms of the whole package: docs/glossary.md.
"""
