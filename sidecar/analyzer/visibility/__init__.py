"""Finds blind spots: the parts of the traffic that cannot be measured.

The absence of alarms has a meaning only without blind spots. The analyzer's event loop reads all counters once a
second. Each condition compares the present counters with earlier ones. Everything in this package is a pure function of
its arguments, apart from the log lines in `watch.py`.

Data flow

    Snapshot, counter page --> readings.py: Reading --> history.py: History --> View
    View --> conditions of proxy.py, traffic.py, columns.py, labels.py, names.py --> Blindness or None (blindness.py)
             shares.py decides about shares of events, paths.py writes texts about spec.traffic.decode
    watch.py: table of conditions, Blindness --> BlindSpot (report, metrics, page), log lines
    Reading, blind spots --> readiness.py --> status of GET /readyz

Windows count exchanges, rows or labels, never time: a quiet service is not blind. A blind spot ends when the first
exchange is seen again.

Glossary

blind spot   a part of the traffic that is not measured, with a reason of `report/blocks/blindness.py`
total        nothing of the traffic is measured
everyday     reasons for skipping an exchange that are normal beside measured traffic, such as error_status
reading      the counters of one moment
view         the present reading and the counters of earlier readings
"""
