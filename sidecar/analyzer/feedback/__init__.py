"""Labels that come later: which prediction each belongs to, that each counts once, and what is made of it.

    exchange --> joining.keep  --> store.py     predictions by request id, bounded, expiring
    POST /v1/feedback --> body.py, events.py, items.py --> Labels (or RefusedError)
    Labels --> joining.take    --> Taken (outcomes, marks, rows of predictions with their labels) --> ledger, watch
    store, Taken --> frames.py --> journal.py   appended and synced before a label is answered, replayed at start
    ledger, store, profile --> block.py         the Report's blocks `feedback` and `performance`

Glossary
    key       64 bits of a hash: of a request id, or of the delivery that brought a label without one
    kept      an exchange whose predictions wait for labels
    mark      64 bits of a key and a row: this row's label has been counted
    segment   a stretch of kept exchanges and of marks; the oldest one is retired, then forgotten, as a whole
    home      the segment that holds the exchange of a labelled row
    outcome   what became of one label: joined, direct, late, duplicate, unknown, invalid
    judged    handed to the profile in force: it says which column is the label, and the prediction is one of its model
    redo      to count labels again that were answered after the last checkpoint

All but `journal.py` is pure: the time is an argument, and bytes that must become durable are handed out.
"""
