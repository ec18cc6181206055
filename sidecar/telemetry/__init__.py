"""Expose the metrics of a Pilotfish process in Prometheus text formats.

    counter page --+
    Report --------+--> ScrapeInput --> traffic.py, detection.py, labels.py, control.py, blindness.py, process.py
    ControlStatus -+                            --> exposition.py --> GET /metrics

Glossary

scrape input   all sources, read once for one scrape, the counter page last
metric         an entry of names.py, the only module that contains names, types, units, labels and help texts
family         a metric with all its samples in one scrape, as in prometheus_client
collector      a function from the scrape input to families; the table is in exposition.py
accounting     the identity seen = measured + sampled_out + dropped + undecodable + queued, in exchanges
outcome        what happened to an exchange; the metric label is `fate`

More terms: docs/glossary.md
"""
