"""The closed loop on real data: `pilotfish demo`.

The flights that left New York in 2013 are served by a small model that predicts their time in the air. One second of the
demo stands for one day of flights. In the middle of it the feed of one airport changes from miles to kilometres.

    replay ---- HTTP ----> pilotfish run ----> server (the model)
      |  days, labels           |  webhook         ^ swap
      v                         v                  |
    demo (story, view)        trainer ------------/
                                 \\--- PUT /profile --> pilotfish run

| module | what it is |
| --- | --- |
| flights  | the vendored data as columns; the injected change of unit |
| wire     | rows <-> the JSON of the Open Inference Protocol; one line of JSON as a message between the demo's own processes |
| model    | ridge regression on numpy |
| server   | a process: serves the model, takes a new one |
| replay   | a process: sends the days as traffic and the labels to the trainer, measures latency |
| inbox    | decides on each webhook delivery: accepted, repeated or refused |
| trainer  | a process: takes webhooks and labels, retrains, swaps model and profile |
| story    | what has happened so far, folded from the processes' messages and the analyzer's report; when it is over |
| view     | the story as a live terminal view; lines: as plain lines; summary: its end |
| stage    | the temporary folder, the processes, their addresses |
| app      | puts them together |
"""
