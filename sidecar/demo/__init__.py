"""The closed loop on real data: `pilotfish demo`.

A small model predicts the air time of the flights that left New York in 2013. One second of the demo stands for one day
of flights. In the middle of it, the feed of one airport changes from miles to kilometres.

    replay ---- HTTP ----> pilotfish run ----> server (the model)
      |  days, labels           |  webhook         ^ new model
      v                         v                  |
    demo (state, view)       trainer --------------+
                                 `--- PUT /profile --> pilotfish run

| module | content |
| --- | --- |
| flights | the vendored data as columns, and the injected change of unit |
| wire | rows to and from the JSON of the Open Inference Protocol |
| messages | the messages from the demo's processes, one JSON object a line |
| reference | builds the profile of the rows that a model was trained on |
| http_server | code that the serving processes share |
| model | ridge regression on numpy |
| server | a process: serves the model and accepts a new one |
| replay | a process: sends the days as traffic and the labels to the trainer, and measures latency |
| webhook_receiver | decides on each webhook delivery: accepted, repeated or refused |
| trainer | a process: receives webhooks and labels, retrains, replaces model and profile |
| state | everything that has happened so far |
| transitions | pure functions from state and message to the next state, and the end of the demo |
| view | the state as a picture for a terminal |
| text_lines | the state as plain lines |
| screen | selects picture or plain lines |
| measurements | figures taken from outside, as a user would |
| summary | the promises of the demo beside what was measured |
| sandbox | the temporary folder and the child processes |
| processes | prepares model, profile and document, and starts all processes |
| app | composes them |

Nothing else in Pilotfish imports this package.
"""
