"""The analyzer: sampled exchanges in, counts, evidence and answers out. It may die at any time; the traffic goes on.

    records.sock --> channel.receiver --> worker.py ----------------------------------> publish.py --> Report
                                            |  core.py                                    |
                                            |    ledger.py    each record has one fate    +--> http/  page, JSON, health
                                            |    decode/      bytes --> rows | skip       +--> telemetry
                                            |    ticks.py     which tick, when it closes
                                            |    watch.py     rows --> counts --> engine.py (evidence, effect sizes)
                                            |    learning.py  how far a profile in the making is
                                            |    streams.py   River's detectors, beside the evidence
                                            +-> checkpoint.py, fates.py     durable first, shown afterwards
                                            +-> stores.py     rows on disk, where somebody asked for them
    builder.py       gathered rows --> a child process --> a profile
    decisions.py     what people, files and learning decide, put into audit.py

Glossary
    core        all that the worker knows, without I/O; the checkpoint is its state
    desk        the files, the socket and the clock that the worker works with
    ledger      how many records met which fate; file `fates` holds what was published of it
    watch       one profile and what is counted against it
    engine      what turns the counts of closed ticks into evidence
    snapshot    report, profile and counts of one moment, immutable: the only thing that other threads read
    command     what other threads ask of the worker, through one queue
    idle        nothing is decoded, since document or profile cannot be used; everything else goes on

`app.py` puts it together: `build(options)` gives an App, `await app.serve(stop)` runs it.
"""
