"""Running Pilotfish without a cluster: a small supervisor, and the processes that it keeps alive.

    pilotfish run      supervisor --starts--> proxy              (never restarted: when it ends, everything ends)
                                  --starts--> analyzer process   (restarted with backoff, whatever happens to it)
    pilotfish analyze  supervisor --starts--> analyzer process

    app.py analyze.py     the two commands                          arguments.py         their flags
    restart_policy.py     what to do when; pure, time is passed in  supervisor.py        signals and children
    spawn.py              starts a child                            analyzer_process.py  composes the analyzer process

The supervisor and the proxy use only the standard library, so that they keep running when memory is short. Only
analyzer_process.py may import more.

Glossary (more in docs/glossary.md)
    analyzer process  the process that runs the analyzer, detection and the control loop; it may fail at any time
    recycle           to end the analyzer process after a checkpoint and start it again, which frees its memory and
                      loads a changed document
"""
