"""Labels that arrive after the predictions: find the prediction of each label, count it once, and score it.

    DecodedExchange    --> joiner.keep --> store.py, segment.py   predictions by request id, bounded, with an expiry
    POST /v1/feedback  --> ../../labels/ --> LabelBatch, or FeedbackError
    LabelBatch         --> joiner.join --> LabelEvent (outcomes, dedup keys, rows to score), FeedbackResponse
    store, LabelEvent  --> frames.py --> journal.py   appended and synced before the response, replayed at the start
    counters, store, profile --> summary.py           the blocks `feedback` and `performance` of the report

`unused.py` counts accepted labels that have no loss, by reason. `component.py` connects this package to the pipeline.
Only `journal.py` does I/O: the time is an argument, and the other modules return the bytes to write.

Glossary

key              a 64-bit hash of a request id, or of the delivery that carried a label without one
stored exchange  an exchange whose predictions wait for labels
dedup key        a 64-bit hash of key and row; a label with a known dedup key is a duplicate
segment          a period of stored exchanges and dedup keys; the oldest segment is retired as a whole
retired          a segment that has only its keys, which distinguish a late label from an unknown one
outcome          the result for one label: joined, direct, late, duplicate, unknown or invalid
direct           a label that carries its prediction, so it needs no stored exchange
scored           passed to the profile in force to compute a loss; the JSON key is `judged`
label event      the changes of one request with labels: enough to count its labels again
replay           restore stored exchanges and labels from the journal; count labels after the last checkpoint again

More terms: docs/glossary.md
"""
