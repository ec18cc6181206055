"""Resizing of the CPU and memory of containers, from their use. Only the executor has effects.

    use, kills for memory --observe--> ResizeState --recommend--> target and bounds       recommender.py state.py
    target, bounds, requests of a pod --find_wish--> what should change, and why          wish.py
    ledger --> what was changed and refused before                                        attempts.py
    status of a pod --> what its node makes of a resize                                   progress.py
    pods, holds --> ResizeSituation: one change, or the reason for none                   guard.py policy.py
    due entry --> PATCH of pods/resize, or of the template                                executor.py template_owner.py
    use before and after a resize --> whether it had an effect                            effect.py runtimes.py
    members of a pool --> cores of each pod                                               pool/

`podspec.adjusted` fits what should change into what the API server accepts. `../manager/resizing.py` reads the facts.

Glossary. More terms: docs/glossary.md

target      the requests that a container should have
bounds      a request between them stays
wish        the part of the target that is worth a change now, by resource
hold        why nothing is changed
withheld    a resource that something else sets or follows
active      of a pod: its resize has not ended, so that the next pod waits
taken back  a resize that the node did not make is followed by the amounts of before
"""
