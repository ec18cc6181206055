"""What the sidecar reports to people and programs: its schema, its history, its pages, and the command that shows them.

    analyzer's worker --> Report ------------------+            schema.py, made anew after each checkpoint
    counter page -------> Accounting, Route        +--> ReportResponse --> GET /report --+--> JSON
    control loop -------> ControlStatus -----------+            response.py              |
                                                                                         +--> pages/ --> one HTML page
    closed ticks -------> timeline/ --> Timeline --> GET /windows -----------------------+
                                                                                         |
    `pilotfish report` fetches or loads both, and prints, saves or draws them: command/ -+

Glossary
    Report           an immutable snapshot of everything that the analyzer has measured; metrics read it, too
    ReportResponse   the Report with what only the moment of the request knows: traffic by route, the control loop
    ControlStatus    the control loop's newest intents and its outbox
    Timeline         the same model window by window: rows, evidence, effect sizes, histograms
    SavedReport      a ReportResponse with its Timeline, as `pilotfish report --json` writes them to a file

The schema imports nothing of the sidecar, so that analyzer, control, telemetry and profiles may all use it. `pages`
draws without a network or a clock. `command` is the only part that connects to a sidecar.
"""
