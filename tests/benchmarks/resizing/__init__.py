"""Resources beside the algorithm of the VerticalPodAutoscaler: `make bench-control`.

traces.py       use by the minute, frozen before the first run, for tuning or held out
record.py       how the recorded ones were recorded
play.py         one pod whose requests and limits follow one recommender through one trace
contenders.py   the recommenders, and a grid of their settings
table.py        the tables of docs/resizing-measured.md
picture.py      its picture: core-hours and throttled minutes of all settings of the grid
"""
