"""The report as one self-contained HTML page: no scripts, no external resources, light and dark, printable.

    ReportResponse (now) --+
                           +--> page.render --> one HTML document --> writing.write, or the admin address
    Timeline (history) ----+

Modules
    page           the document: the order of its sections, and its content security policy
    overview       the top of the page: state, notices, key figures, evidence, the promise
    drift_cards    one card per drifted feature
    feature_table  one row per column; derived features and relations are folded away
    resources      what model server and Pilotfish use, what routes cost
    tables         episodes, performance, findings, traffic, accounting, profile
    audit          a profile that is being learned, decisions, stream detectors, rows on disk
    summary        a short text version for a terminal

Charts
    svg          basic shapes                           axis        the time axis, and rounded scale values
    evidence     evidence over time and its threshold   trend       one feature over time
    histogram    reference and current shares           meter       a ratio as a bar
    markup       escaping, number formats, tables

The data come from an analyzer, a saved file or a replay. Every text may be hostile: escape it with `markup.text` or
`markup.name`.

More terms: docs/glossary.md
"""
