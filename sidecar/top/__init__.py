"""The command `pilotfish top`: a live table of models in the terminal.

    /metrics, /report of sidecars --> sidecars.py ----+
                                                       +--> Poll --> history.py --> rows.py --> view.py --> table.py
    ModelMonitors, pods, controller --> namespace.py --+   (Answer, MonitorState)   (Row)     (sort, filter)   |
      (by the API server)                                                               live.py, plain output, JSON

`sidecars.py`, `namespace.py`, `keyboard.py` and `live.py` do the I/O. All others are pure: a Poll is what the sources
answered at one moment, and the same Polls always give the same rows.

A source that stops answering has no figures. Its row shows how long ago it answered last.

Glossary
    Poll      the answers of all sources in one round; it has the time of the round in monotonic seconds
    Answer    the metrics of one sidecar in one round, or why there are none
    Figures   rates of one route of one sidecar, from two answers; they add up over routes and pods
    Row       one line of the table: a model by version, one of its pods, or one of its routes
"""
