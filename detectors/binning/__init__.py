"""How a value finds its cell: the only thing that a pod does with each row.

cell      a bin of one feature; every row falls into exactly one
role      what a cell stands for: value, tail, missing, unseen, below, above, far, inf
bins      the cells of one feature: `NumericBins` (ordered, by cuts) or `CategoryBins` (named, by look-up)

`bins.digitize(column)` gives [rows] cell numbers and how many values had the wrong type; nothing in it raises on data.
Both kinds are built from reference rows (`from_values`), and live in the profile as plain documents
(`document`, `from_document`).
"""
