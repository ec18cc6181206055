"""The analyzer: sampled exchanges in, counts, evidence and HTTP responses out. It may die; the traffic continues.

    records.sock --> channel.receiver --> worker.py  (one thread; commands from others: command_queue.py)
                                            |
                                          pipeline.py  decodes, then calls the components of its table in order:
                                            |    exchange_ledger.py   each record has one outcome
                                            |    ticks.py             which tick a row counts in, when it closes
                                            |    learning.py          how far a profile that is being learnt is
                                            |    active_profile.py    watch.py: rows --> counts --> engine.py (evidence)
                                            |    columns.py           values seen and missing, without a profile
                                            |    row_collector.py     rows on their way to disk
                                            |    row_counts.py        rows by model and side
                                            |    streams.py           River's detectors, beside the evidence
                                            |    feedback/            predictions, and the labels that come later
                                            v
                                          persistence.py  journal --> stores.py --> checkpoint.py --> fates.py
                                            v
                                          publish.py --> Report --> http/ (pages, JSON, health), telemetry

    builder.py       collected rows --> a child process --> a profile
    decisions.py     what people, files and learning decide, recorded in audit.py

Glossary
    pipeline    everything that is counted, without I/O; the checkpoint is the state of its components by name
    component   one part of the pipeline (component.py): `state` and `resume` for the checkpoint, `on_...` hooks
    counter     a total that never runs backwards, under a typed key (counters.py); `KINDS` lists them
    ledger      the counters and the number of the last record: each record up to it has one outcome
    fates       the file with the published totals, as old as the proxy's counter page; names are shortened there
    monitor     the profile in force and what is counted against it
    engine      makes evidence from the counts of closed ticks
    snapshot    report, profile and counts of one moment, immutable: the only thing that other threads read
    command     a request from another thread, executed by the worker between two portions of records
    notice      a warning in the report, one a topic
    idle        nothing is decoded, because the document or the profile cannot be used; everything else works

`app.py` puts it together: `build(options)` returns an App, `await app.serve(stop)` runs it.
"""
