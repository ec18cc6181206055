"""The closed loop on real data: `pilotfish demo`.

A small model predicts the time in the air of the flights that left New York in 2013. One second of the demo stands for
one day of flights. In the middle of it the feed of one airport changes from miles to kilometres.

    replay ---- HTTP ----> pilotfish run ----> server (the model)
      |  days, labels           |  webhook         ^ swap
      v                         v                  |
    demo (story, view)        trainer ------------/
                                 `--- PUT /profile --> pilotfish run

| module | what it is |
| --- | --- |
| flights  | the vendored data as columns; the injected change of unit |
| wire     | rows <-> the JSON of the Open Inference Protocol |
| messages | what the demo's own processes tell it, one line of JSON each |
| reference | the profile of the rows that a model was trained on |
| serving  | what the serving processes share |
| model    | ridge regression on numpy |
| server   | a process: serves the model, takes a new one |
| replay   | a process: sends the days as traffic and the labels to the trainer, measures latency |
| inbox    | decides on each webhook delivery: accepted, repeated or refused |
| trainer  | a process: takes webhooks and labels, retrains, swaps model and profile |
| story    | what has happened so far; plot: how it goes on, folded from messages and reports, and when it is over |
| view     | the story as a picture for a terminal; lines: as plain lines; screen: which of both |
| summary  | the end: what was promised, what was measured (measured: from outside, as a user would) |
| stage    | the temporary folder and the processes |
| cast     | who plays: model, profile and documents made, everybody started |
| app      | puts them together |
"""
