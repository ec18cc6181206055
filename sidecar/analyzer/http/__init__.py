"""The admin address of the analyzer: metrics, health, report, timeline, labels and commands over HTTP.

    request --> server.py        time and size limits, response headers
                connections.py   at most MAX_CONNECTIONS; closes the oldest idle connection at the limit
                gate.py          passes on one request at a time; refuses what is not HTTP or too large
            --> views.py         access.py checks token and origin; then one view per path:
                                     reads    Snapshot --> report.py, timeline, pages --> response
                                     changes  ../actions.py --> ../command_queue.py --> worker

A view reads immutable snapshots and never the pipeline, because the worker changes it in another thread.

Glossary

admin address   HOST:PORT of this server, the option `--admin`
bearer token    grants access to all paths except metrics and health; a browser sends it as a Basic password
cross-site      sent by a script or form of a page in a browser; refused
snapshot        the immutable report, windows and open counts
view            the function that handles one path

More terms: docs/glossary.md
"""
