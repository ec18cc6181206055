"""From records to counts, from counts to evidence, and a Report that everybody may read.

    channel -> worker.py (the one thread that counts)
                 core.py    decode/ -> rows -> ticks.py -> watch.py -> engine.py (closed ticks become evidence)
                 ledger.py  what became of every record -> fates.py (survives the process)
                 checkpoint.py (durable) -> publish.py -> Report (immutable)
                                                            |-> http/      /metrics /report /state /config
                                                            '-> control    alarms, episodes, webhooks
    document -> configure.py -> settings in force, profiles.py -> profile in force
    options.py, memory.py -> app.py, which puts all of it together

Glossary
    tick        the unit of time of detection; it closes when the watermark has passed it
    watch       one profile in force: its open ticks, and the engine that closed ones go to
    engine      what makes evidence of closed ticks; a pod's own knows effect sizes only
    checkpoint  what must be known again after a restart; nothing is published that is not in it
    idle        the document or the profile cannot be used: traffic is still measured, and the reason shown
"""
