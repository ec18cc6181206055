"""Rows on disk, for the two uses that counts cannot serve: learning a profile, and a report over recent rows.

    decoded exchange --> tap.py (masked columns left out) --> blocks.py --> log.py, a folder of segments
                                                                             |
              learn.py, a process of its own: profile, trial <--- table.py --+--> GET /rows, `pilotfish report`

Nothing is kept unless the document or a person asks for it.

Glossary
    block     some consecutive exchanges with the same columns, joined: what is written at once
    log       blocks in segments, bounded in rows and in bytes; keeps its first rows or its newest
    masked    a column that is never written
    torn      the end of a segment that a kill cut off; it is removed, and counted
"""
