"""The analyzer process: turns sampled exchanges into counts, evidence, a report and HTTP responses.

The proxy forwards all traffic without the analyzer, so the analyzer may restart at any time.

Data flow. One thread, the worker, does steps 1 to 7. Step 8 runs in an asyncio event loop and reads snapshots only.

    1 record in     proxy --> records.sock --> ../channel/receiver.py --> worker.py
    2 decode        pipeline.py calls decode/: Record --> DecodedExchange (rows) or SkippedExchange (a reason)
    3 components    pipeline.py calls the hooks of its table of components, in this order:
                        exchange_ledger.py    the outcome of each record
                        ticks.py              the tick of a row; when a tick closes
                        learning.py           the state of learning a profile
                        active_profile.py     profile_monitor.py: rows --> counts of the open ticks
                        unprofiled.py         values and missing values per column, without a profile
                        row_collector.py      rows that wait to be written to disk
                        row_counts.py         rows per model and side
                        stream_detectors.py   River's detectors on one number per tick
                        feedback/             predictions, and the labels that arrive later
    4 tick          a closed tick's counts --> engine.py --> effect sizes, and evidence where detection runs
    5 persistence   persistence.py writes: feedback/journal.py, row_stores.py, checkpoint.py, totals_file.py
    6 snapshot      snapshot.py: pipeline --> Snapshot (report, windows, open counts)
    7 commands      command_queue.py --> worker.py: requests from other threads (commands.py), between two reads
    8 http          http/: Snapshot --> pages, JSON, health, metrics; changes go through actions.py to step 7

    Around the flow
        app.py               composition: `build(options)` returns an App, `await app.serve(stop)` runs it
        options.py           the command line; startup.py checks it and loads checkpoint and first profile
        configuration.py     the document --> settings.py, the settings of the worker
        profile_store.py     the files that the profile in force comes from
        profile_builder.py   stored rows --> a child process --> a learned profile
        actions.py           decisions about profiles and episodes; audit.py records them
        announcer.py         logs each event once
        inspection.py        opens the files that a document names, for `pilotfish check`
        visibility/          blind spots: what cannot be measured, and the status of /readyz
        column_totals.py     rows with a usable value, by feature, for visibility/
        memory.py            the memory limit
        decode_budget.py     the share of the worker's time for exchanges that cost much to decode

Glossary

checkpoint   the state of all components in one file, replaced atomically
command      a request from another thread to the worker
component    one part of what the pipeline counts, with hooks and a state in the checkpoint
counter key  the typed key of a counter: its kind and the values of its labels
engine       turns the counts of closed ticks into effect sizes and, where detection runs, into evidence
idle         the state in which nothing is decoded, because the document or the profile cannot be used
ledger       the counters, and the number of the last record that has an outcome
notice       a warning in the report; one per topic
snapshot     the immutable report, windows and open counts that all other threads read
totals file  the file `fates` in the shared folder: the ledger's published totals

More terms: docs/glossary.md
"""
