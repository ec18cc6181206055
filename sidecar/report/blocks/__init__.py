"""The blocks of the Report, one module per subject. Import them from `report.schema`, which holds the Report itself.

    traffic    exchanges, rows, ticks, checkpoints, data quality, columns without a profile
    drift      families, features, effect sizes, episodes, the false-alarm budget
    blindness  blind spots, and the table of their reasons
    labels     outcomes of labels, losses, performance
    resources  what model server and Pilotfish use, what routes cost
    learning   the profile in force, a profile that is being built, the audit log, stored rows, stream detectors

The names of classes and fields are JSON keys or types of the public API: renaming a field breaks saved reports.

More terms: docs/glossary.md
"""
