"""The Python API: profiles of data frames, and replays, by the functions of the commands.

    frame --> frames.py   pandas_columns.py | arrow_columns.py --> ReferenceTable (as of a file)
    arguments --> choices.py   roles and settings, checked
    ReferenceTable --> profile.py  profiles.build --> NotebookProfile      profile_view.py  table and HTML
    ReferenceTable --> profile.py  profiles.replay_rows --> result.py  ReplayResult
                                      result_rows.py, result_view.py   tables and HTML
    tables.py   results as pandas DataFrames, or a small table      html.py   tables and pictures for a notebook
    package/    the file that is installed as pilotfish/__init__.py

Names in messages are those of Python parameters. No library of data frames is imported before it is needed.

More terms: docs/glossary.md
"""
