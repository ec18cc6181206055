"""Resources beside the algorithm of the VerticalPodAutoscaler: `make bench-control`.

traces.py       use by the minute, frozen before any tuning, in a half for tuning and a held-out half
record.py       how the recorded ones were recorded
play.py         one pod whose requests and limits follow one recommender through one trace
contenders.py   the recommenders, and the choice of percentile and margin on the tuning half
table.py        the tables of docs/resizing-measured.md
"""
