"""The timeline of one model: the history of the report, window by window. It is the response of `GET /windows`.

    detectors.summaries.windows --> build.py --> schema.py (Timeline) --> JSON, pages
                                      |  histogram_layout.py: the bars of each feature

Glossary
    span        one window of closed ticks: its rows, and the largest evidence of each family
    step        one or more spans, joined until they have enough rows for an effect size
    series      the values of one feature over the steps: PSI with its interval, missing, unseen, out of range, mean
    histogram   shares of a feature's rows over bars; reference and current rows have the same bars
    drift       a feature of an episode, with its histogram since the onset

More terms: docs/glossary.md
"""
