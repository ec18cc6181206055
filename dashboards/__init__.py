"""Builds the Grafana dashboards from Python. Not part of the wheel: it needs grafana-foundation-sdk.

    pages/*.py (what is shown) -> page.py (grid, variables, links) -> panels.py (SDK) -> JSON -> tests/generate.py

| module | content |
| --- | --- |
| queries | PromQL: selectors, joins with the model of a pod, quantiles |
| foreign | the metrics of other programs that panels query, each with its source |
| model | the description of a dashboard: Page, Section, Panel, Target |
| panels | from a Panel to the SDK's panel |
| page | from a Page to the SDK's dashboard: grid, variables, links |
| pages | one module per dashboard, and the table of all |
| coverage | metrics that no panel shows, each with a reason |
| lint | the rules that every generated dashboard keeps |

`make generate` writes the JSON into `sidecar/dashboards/data/` (the wheel) and `helm/dashboards/` (the chart).
"""
