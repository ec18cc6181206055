"""The numbers that leave a Pilotfish process, by Prometheus's text formats.

    counter page --+
    Report --------+--> Reading --> traffic.py, detection.py, control.py, own.py --> exposition.py --> /metrics
    ControlStatus -+

Glossary
    reading     all sources, read once for one scrape, the counter page last
    metric      a name of names.py: the only place where names, types, units, labels and help are written
    account     seen = measured + sampled_out + dropped + undecodable + queued, in exchanges: account.py
"""
