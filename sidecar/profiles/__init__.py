"""Profiles from reference data: `pilotfish profile build | show | diff`, and `pilotfish replay` to try them.

    DATA, -       --> sources.py   files, and standard input as a file; reading.py chooses the reader
    DATA.csv[.gz] --> csvlines.py  text in blocks (formats.py names other files) --> csvheader.py  delimiter and names
                  --> csvtable.py  lines to cells (arrow_cells.py is faster); cells.py converts cells to columns;
                                   list_columns.py and python_lists.py read lists; dressed.py finds 1,000 and 5%
    DATA.parquet  --> parquet.py   columns, read by pyarrow
                  --> ReferenceTable   columns as numpy arrays, and the columns left out with the reason
    ReferenceTable --> build.py    column roles; time_column.py and calendar_numbers.py read the times;
                                   detectors.reference builds the profile
          --> files.py   profile.json[.gz], written atomically, read within a size limit
          --> show.py    a table with small histograms (sparkline.py)     diff.py   compares two profiles
    ReferenceTable + profile --> replay_rows.py --> detectors.detection.replay --> replay.py         text or JSON
                                                                               --> replay_report.py  an HTML page

`sidecar.notebook` makes a ReferenceTable of a data frame and uses the same functions. arguments.py names the arguments
in messages: options for the commands, parameters for the notebook.

Glossary
    reference     the rows that define normal behaviour
    cell          one field of one row of a file, as text
    missing word  a text that means missing, in files and in live rows
    column role   what a column is for: input, prediction, time, label or excluded
    replay        stored rows, run through the same counts and the same detector as live traffic

A profile is identified by the hash of its content. Texts that are stored in it (warnings, reasons of exclusion) come
from `detectors`; never change one here.

More terms: docs/glossary.md
"""
