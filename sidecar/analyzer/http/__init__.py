"""The admin address of the analyzer: metrics, health, report, timeline, labels and commands over HTTP.

    request --> ../../serving/   bounds connections, heads, bodies and times
            --> views.py         access.py checks Host, token and origin; then one view per path:
                                     reads    Snapshot --> report.py, timeline, pages --> response
                                     changes  bodies.py --> ../actions.py --> ../command_queue.py --> worker

A view reads immutable snapshots and never the pipeline, because the worker changes it in another thread.

Glossary

admin address   HOST:PORT of this server, the option `--admin`
bearer token    grants access to all paths except metrics and health; a browser sends it as a Basic password
cross-site      sent by a script or form of a page in a browser; refused
DNS rebinding   a site lets its name resolve to the user's machine, to read from it in a browser; see access.py
snapshot        the immutable report, windows and open counts
turn            the right to read a body beyond SMALL_BYTES; one request has it at a time
view            the function that handles one path

More terms: docs/glossary.md
"""
