"""What people read away from the running sidecar: files made of its report, its past and its rows.

GET /rows, or a file --> evidently.py --> comparison.py, a process of its own, with Evidently in it --> HTML
"""
