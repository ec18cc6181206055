"""All groups, in the order of the report; those that measure time run last."""

from __future__ import annotations

from tests.benchmarks.detection import (
    baselines,
    delays,
    episodes,
    hours,
    independent,
    inflation,
    injected,
    intervals,
    merging,
    real,
    recurring,
    relations,
    serial,
    speed,
    summer,
)
from tests.benchmarks.detection.runner import Group

RECURRING = (
    "Alarms over what the budget allows. Reference and live traffic come from the same process, fresh in each run: 60 "
    "days of reference and 90 live ones, ticks of 20 minutes, 10 rows each, tolerance .0025, unless a line differs. "
    "Beside them the rows until a shift of 1 sd is found in a column with trouble, and in the last one, which has none."
)

GROUPS: dict[str, Group] = {
    "quiet": Group(
        "False alarms, independent rows",
        "Crossings of the threshold over what the budget allows (A = 200 ticks), checked at every tick; 20 features, "
        "tolerance 0, a fresh reference in each run.",
        independent.large,
    ),
    "quiet-small": Group(
        "False alarms, small references",
        "The same with references whose error counts.",
        independent.small,
    ),
    "quiet-all": Group(
        "False alarms, everything that is monitored",
        "Alarms of all families: 10 columns in related pairs, their residuals, distance and cosines, a prediction and "
        "labels; simulated rows, A = 200, tolerance 0, a fresh reference in each run.",
        independent.everything,
    ),
    "serial": Group(
        "False alarms, correlated rows",
        "Fourteen reference days of one-minute ticks, 10 rows each, 5 features, tolerance 0, a fresh reference in each "
        "run; beside it the ticks until a shift of 1 sd in one feature is found.",
        serial.cases,
    ),
    "outliers": Group(
        "Recurring outliers",
        f"{RECURRING} Four of five columns read 50 sd in a third of the rows of an hour, each once in 10 days.",
        recurring.outliers,
    ),
    "incidents": Group(
        "Recurring incidents",
        f"{RECURRING} Four of five columns are 1 sd larger for 2 hours, each once in 5 days.",
        recurring.incidents,
    ),
    "holidays": Group(
        "Holidays",
        f"{RECURRING} On eleven days of the year four of five columns move by 1 sd; ticks of an hour, 20 rows each, a "
        "year live.",
        recurring.holidays,
    ),
    "clumps": Group(
        "Categories that come in clumps",
        f"{RECURRING} New values in a tenth of the rows of an hour, once in 10 days; or a rare one in a fifth of an "
        "hour's rows, once in 3 days; in all columns but the last.",
        recurring.clumps,
    ),
    "bursts": Group("Bursts, jobs, stuck sensors and rows sent again", RECURRING, recurring.bursts),
    "steady": Group("Processes without bursts", RECURRING, recurring.steady),
    "density": Group(
        "Ticks and traffic that differ from the reference",
        f"{RECURRING} Hour effects are levels of .3 sd that are drawn again every hour; with them the reference has 6 "
        "rows an hour where live traffic is 20 x denser.",
        recurring.density,
    ),
    "inflation": Group(
        "Variance inflation of independent rows",
        "Ten columns of independent rows: log-normal, Pareto, counts, a hundred categories, missing values; 14 days, a "
        "fresh reference in each run.",
        inflation.cases,
    ),
    "summer": Group(
        "Summer time",
        "Two columns whose mean swings by 1.5 sd with the time of day in Berlin, ticks of 15 minutes, 10 rows each, 60 "
        "days of reference and 60 live ones with the change of the clocks among them, tolerance .0025, one alarm in 30 "
        "days.",
        summer.cases,
    ),
    "hours": Group(
        "A daily cycle",
        "One column whose mean swings by 1.5 sd, ten reference days of one-minute ticks, ten rows each, tolerance 0, "
        "A = 43,200: ticks until a shift of 1 sd is found.",
        hours.cases,
    ),
    "delay": Group(
        "Delay, one feature",
        "Rows to the alarm over log(A) / KL; A = 43,200, a reference of 1,000,000 rows, tolerance 0.",
        delays.alone,
    ),
    "delay-among": Group(
        "Delay, one of 100 features",
        "The same in one of 100 features.",
        delays.among,
    ),
    "delay-tolerant": Group(
        "Delay with the default tolerance",
        "The same with tolerance .0025, which allows .05 sd; over log(A) / ((shift - .05)^2 / 2).",
        delays.tolerant,
    ),
    "delay-small": Group(
        "Delay, a tiny reference",
        "A = 43,200, tolerance 0.",
        delays.small_reference,
    ),
    "choosing": Group(
        "What budget and tolerance cost",
        "Median rows until the alarm for a shift of one of 20 features, ticks of a minute, reference of 20,000 rows.",
        delays.choosing,
    ),
    "real": Group(
        "Real data in its order",
        "A row or an hour a tick, tolerance .0025, A = 43,200; the detector runs from the end of the reference on.",
        real.ordered_cases,
    ),
    "shuffled": Group(
        "Real data, shuffled",
        "Two thirds are the reference, the rest is live, 20 rows a tick; A is 20 times the length of the run, "
        "tolerance .0025; in the other runs a random column of continuous numbers is shifted from row 200 on.",
        real.shuffled_cases,
    ),
    "injected": Group(
        "Faults injected into real rows",
        "Shuffled rows, two thirds of them the reference, the rest live, 20 a tick; from row 200 on a random "
        "column changes. A = 43,200, tolerance .0025; each run ends after 4,000 rows.",
        injected.cases,
    ),
    "correlation": Group(
        "A correlation breaks",
        "Every column keeps its distribution. Reference of 100,000 rows, A = 43,200, tolerance .0025, one row a tick; "
        "rows to the alarm over log(A) / KL.",
        relations.cases_correlation,
    ),
    "labels": Group(
        "A model makes more errors",
        "Labelled rows to the alarm over log(A) / KL. Reference of 100,000 labelled rows, A = 43,200.",
        relations.cases_labels,
    ),
    "naming": Group(
        "Which features are named",
        "Reference of 100,000 rows, A = 43,200, tolerance 0: what an episode lists as confirmed.",
        relations.cases_naming,
    ),
    "merging": Group(
        "Many pods, one result",
        "Each pod sends cumulative counts; the leader takes the largest of each and adds them up.",
        merging.cases,
    ),
    "episodes": Group(
        "One cause, one alarm",
        "20 features, reference of 100,000 rows, 50 rows a tick, A = 43,200, tolerance .0025.",
        episodes.cases,
    ),
    "baselines": Group(
        "The same stream through other detectors",
        "One column of independent values, + .5 sd at the end; each detector with its defaults, Pilotfish with a "
        "reference of 10,000 rows, ten rows a tick and A = 43,200 (so at most .23 false alarms per 100,000 rows).",
        baselines.cases,
    ),
    "intervals": Group(
        "Intervals of the effect sizes",
        "The lowest share of 95 % intervals that contain the distance of the distributions, over 100, 300, 1,000 and "
        "10,000 current rows and shifts of 0, .1, .5 and 1 sd; a fresh reference of 10,000 rows in each run. The "
        "widths are those at 1 sd, in the order of the rows.",
        intervals.cases,
    ),
    "throughput": Group(
        "Throughput of one core",
        "CPU time of counting, or of a detector's update; medians.",
        speed.cases,
        alone=True,
    ),
    "evidently": Group(
        "Compared with Evidently",
        "Evidently's preset for data drift on each batch against the same reference, CPU time of both in one run.",
        speed.cases_evidently,
        alone=True,
    ),
    "leader": Group(
        "A leader of many pods", "Wall time on one core; medians of ticks.", speed.cases_leader, alone=True
    ),
    "memory": Group("Memory", "Without the overhead of Python objects.", speed.cases_memory, alone=True),
}
