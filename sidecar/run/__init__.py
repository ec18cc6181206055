"""One command for one model: the proxy, and beside it everything that may fail without hurting the traffic.

    pilotfish run      supervisor --starts--> proxy    (never restarted: when it ends, so does the whole)
                                  --starts--> analyzer process (restarted with backoff, whatever happens to it)
    pilotfish analyze  supervisor --starts--> analyzer process

    app.py analyze.py   the two commands                                arguments.py   their flags
    supervision.py      what to do when: pure, the clock is an argument supervisor.py  signals and children, the edge
    spawn.py            a child that never outlives its parent          member.py      what the analyzer process is made of

Words: the *analyzer process* is the process that holds analyzer, detection and control loop; to *recycle* it is to end it after a
checkpoint and start it again at once, which frees its memory and takes up a new document.

Everything but analyzer_process.py needs the standard library only: the supervisor must be there when memory is short.
"""
