"""The commands `pilotfish run`, `pilotfish analyze` and `pilotfish check`: a small supervisor and its child processes.

    pilotfish run      supervisor --starts--> proxy              (never restarted: when it ends, the supervisor ends)
                                  --starts--> analyzer process   (always restarted, with backoff, unless the first one
                                                                  cannot use its options)
    pilotfish analyze  supervisor --starts--> analyzer process

    app.py analyze.py     the two commands                          arguments.py         their flags
    restart_policy.py     events to actions; pure                   supervisor.py        signals and children
    spawn.py              starts a child                            analyzer_process.py  composes the analyzer process
    child.py              the program of the analyzer process       engine.py            the sequential detectors
    watchdog.py           finds a child that hangs; pure            vital_signs.py       their signs of life
    check.py              the command `check`

The supervisor and the proxy use only the standard library, so that they keep running when memory is short. Only
analyzer_process.py, engine.py and check.py may import more.

Glossary. More terms: docs/glossary.md
    supervisor        the parent process; it forwards signals, restarts the analyzer process and reaps zombies
    stop signal       SIGUSR1, with which the supervisor alone stops the analyzer process
    proxy             the process that relays the traffic
    analyzer process  the process that runs the analyzer, detection and the control loop; it may fail at any time
    recycle           end the analyzer process after a checkpoint and start it again at once, which frees its memory and
                      loads a changed document
    watchdog          finds a child that gives no sign of life for minutes; the supervisor kills it
    grace period      the seconds that the analyzer process has for its last checkpoint before it is killed
"""
