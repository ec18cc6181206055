"""The command `pilotfish report`: files and text from a running sidecar or from a saved report.

    source.py      admin address or file --> SavedReport: the response of /report with the timeline of /windows
    app.py         SavedReport --> text on the terminal, JSON (--json), or one self-contained page (--html)
    evidently.py   GET /rows, or a file --> comparison.py, a child process that loads Evidently --> HTML (--evidently)

More terms: docs/glossary.md
"""
