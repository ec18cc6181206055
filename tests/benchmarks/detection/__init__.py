"""`make bench-detection`: measure what the documentation says about drift detection.

__main__.py      the command: which groups, how long, what is written where
groups.py        the table of all groups, in the order of the report
runner.py        cases in two processes, each result kept as soon as it is there
results.py       what a case measured, with 99 % bounds, and whether that is what was wanted
table.py         results as Markdown, put into docs/detection-measured.md
svg.py, plots.py small pictures of them, without any library

Groups
------
independent.py   false alarms where rows are independent, with references of any size
serial.py        false alarms where rows follow one another
recurring.py     false alarms where rare trouble recurs, and where traffic differs in ticks and density
processes.py     the processes with such trouble
summer.py        false alarms at the change of the clocks
inflation.py     variance inflation that independent rows get
delays.py        rows until the alarm, beside the least that any method needs
hours.py         what telling the hours of the day apart is worth
real.py          real data in its order, and shuffled
injected.py      faults put into real data
datasets.py      real data as columns
relations.py     a correlation that breaks, labels, naming what drifted
merging.py       one pod or a thousand, in any order, twice, restarted: the same to the bit
speed.py         throughput, memory, a leader of a thousand pods, beside River and Evidently
episodes.py      how often a lasting drift alarms, and when its episode ends
baselines.py     River, Evidently, and an alarm that always rings, on the same rows

Words
-----
columns.py       distributions with known bin probabilities and information
traffic.py       ticks drawn from them
seed             a number of a run, from which all its randomness follows
outcome          what one run found: plain values
"""
