"""What people read away from the running sidecar: files made of its report, its past and its rows.

    app      `pilotfish report`: text on the terminal, --json, or one self-contained page (`report.pages`)
    source   from an admin address or a file to `Saved`: the answer of /report with the time line of /windows

GET /rows, or a file --> evidently.py --> comparison.py, a process of its own, with Evidently in it --> HTML
"""
