"""Profiles from reference data: `pilotfish profile build | show | diff`, and `pilotfish replay` to try them.

    DATA.csv[.gz] --> csvtable.py  lines to cells; cells.py turns them into numbers or categories
    DATA.parquet  --> parquet.py   columns by pyarrow
                  --> Table        columns as numpy arrays, what was left out and why
    Table --> build.py   roles of the columns, times.py reads the time column; detectors.build_profile does the rest
          --> files.py   profile.json[.gz], written in one step, read within a bound
          --> show.py    a table with small histograms (histogram.py)     diff.py   two profiles side by side
    Table + profile --> detectors.replay  counts per tick, the detector --> replay.py  alarms as lines or JSON

Glossary
    reference  the rows that a profile is made of
    cell       one field of one row of the file, still text
    NA         a spelling of "missing" in the file
    role       what a column is for: input, prediction, time, label, excluded
"""
