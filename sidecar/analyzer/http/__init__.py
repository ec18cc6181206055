"""The analyzer's own HTTP: numbers for Prometheus, the Report for people and programs, two things to ask for.

    server.py        limits and headers            views.py   what each address answers
    connections.py   how many, who makes room      answer.py  the Report with the moment's traffic
    access.py        the token, the origin

Everything that it shows it reads from immutable snapshots; what it is asked for goes to the worker's queue.
"""
