"""The profile: an immutable description of the reference data, and its JSON form.

Terms
-----
reference           the rows that define normal behaviour, usually the training data of the model
profile             features, bins, counts and transforms of the reference; detection needs nothing else
feature             a monitored column, sent by the client or derived by a transform
training split      the 30 % of the rows that choose bins, alternatives and stakes; JSON key `shaping`
calibration split   the other 70 %, used only to bound the alternatives; JSON key `bounding`
variance inflation  how much more block sums vary than with independent rows; JSON key `inflation`
slot                one hour of the day, weekday or hour of the week, for features with a cycle
held-out trial      a replay of the last third of the reference against the first two thirds

Data flow
---------
`reference.build_profile` -> `Profile` -> `to_bytes` -> file -> `from_bytes` -> `detection`, `summaries`, `comparisons`

`parsing` checks each value of a document, `consistency` what the values must satisfy together.

The bytes are canonical, and their SHA-256 identifies the profile: counts and checkpoints of another hash are refused.
Terms of the whole package: docs/glossary.md.
"""
