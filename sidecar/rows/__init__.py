"""Rows on disk, for two uses that counts cannot serve: learning a profile, and reports over recent rows.

    DecodedExchange --> buffer.py (without masked columns) --> blocks.py --> log.py: segment files in a folder
    log.py --> table.py --> learn.py, a separate process --> profile, held-out trial
    log.py --> jsonlines.py --> GET /rows, `pilotfish report`

No row is stored unless the document or a person requests it.

Glossary

row block      consecutive exchanges with the same columns, written at once
row buffer     rows in memory that wait to be written
row log        blocks in segment files, bounded in rows and bytes; it keeps either its first or its newest rows
segment        one file of a row log, which only grows
masked column  a column that is never written to disk
torn           the incomplete end of a segment after a crash; it is removed, and its bytes are counted
learn job      what the learning process needs: rows, model, version, settings of the monitor

More terms: docs/glossary.md
"""
