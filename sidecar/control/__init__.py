"""From an alarm to an effect: what is known, what is wanted, what is allowed, what was done.

    Report's episodes, settings, clock --> Situation                                     situation.py
    Situation --policy--> Intent (wanted, whatever may forbid it)                        policy.py
    Intent --guard--> Decision: pending | recommended | refused, with its reason         guard.py
    Decision --> Ledger: one Entry per intent, folded from operations                    ledger.py
    operations --> Outbox: the ledger's durable form, an append-only file                outbox.py
    Entry that is due --> event --> signature --> webhook                            event.py signature.py webhook.py
    Answer --> next operation                                                            delivery.py
    Ledger --> Status, for /report and /metrics                                          status.py

The loop (loop.py) does this once a second and compares levels, never edges: the open episodes of the Report with the
entries of the ledger. A process that is killed at any step therefore finds, when it starts again, exactly what is still
to do. An intent's id follows from its cause alone, so that whatever is sent twice is sent under one id.

Words: an *episode* is one cause, from the alarm to its end; an *intent* is what the policy wants done about it; an
*entry* is an intent with what became of it; *dead* means given up, to be looked at by a person; *superseded* means that
the cause ended before the intent was carried out.
"""
