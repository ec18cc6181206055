"""The report for people and programs: its schema, its timeline, its HTML pages, and the command that shows them.

    analyzer's worker --> Report ------------------+            schema.py, new after each checkpoint
    counter page -------> Accounting, RouteTraffic +--> ReportResponse --> GET /report --+--> JSON
    control loop -------> ControlStatus -----------+            response.py              |
                                                                                         +--> pages/ --> one HTML page
    closed ticks -------> timeline/ --> Timeline --> GET /windows -----------------------+
                                                                                         |
    `pilotfish report` fetches or loads both, and prints, saves or draws them: command/ -+

Glossary
    Report           an immutable snapshot of everything that the analyzer has measured; its blocks are in blocks/
    ReportResponse   the Report with the values that are read for each request: traffic by route, the control loop
    ControlStatus    the newest intents of the control loop, and the state of its outbox
    Timeline         the history of the report, window by window: rows, evidence, effect sizes, histograms
    SavedReport      a ReportResponse with its Timeline, as `pilotfish report --json` prints it

`convert.py` makes blocks of the detectors' results. `accounting.py` adds up the outcomes of all exchanges.
`announcements.py` makes the lines of the log from two reports.

Do not import other parts of the sidecar in the schema: analyzer, control, telemetry and profiles all import it. Pages
need neither a network nor a clock. Only `command` connects to a sidecar.

More terms: docs/glossary.md
"""
