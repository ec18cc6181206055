"""The command `pilotfish dashboards`: the generated Grafana dashboards, and their way into a Grafana.

    data/*.json -> files (read) -> app (list, export) -> push (what to change) -> client (Grafana's HTTP API)

The folder `dashboards/` of the repository generates `data/`; `make generate` writes it, and nothing edits it by hand.
"""
