"""The Report as one self-contained page: no script, nothing from elsewhere, light and dark, on paper too.

    page       the document: what stands in which order, and the policy that forbids everything else
    markup     escaped text, numbers for people, tables; `Clock` says when a tick was
    svg        the few shapes that drawings are made of, `axis` the one of time
    evidence   evidence over time against the threshold        trend    one feature over time
    histogram  reference and current shares                    meter    a ratio as a bar
    overview, drifted, tables    the parts of the page, from top to bottom
    summary    the same in short, for a terminal           writing  the page as a file

What is drawn is `ReportResponse` (of now) and `Timeline` (of the past), from the analyzer itself, from a saved
file, or from a replay.
"""
