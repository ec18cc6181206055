"""From reference rows to a profile.

Terms
-----
layout              the reference rows along time: order, ticks, blocks, slots, training split
block               rows of consecutive ticks; block sums measure serial correlation
candidate           a feature before the values that depend on the number of features are known
variance inflation  the variance of block sums divided by their variance if rows were independent; at least 1
effective sample size  calibration rows divided by the variance inflation (`n_eff`)
sensitivity         the smallest shift that can be found, and the expected delay in rows
season not covered  the variance still grows at the longest block: the reference is shorter than a cycle
held-out trial      a replay of the last third of the reference against a profile of the first two thirds

Data flow
---------
rows -> `layout.lay_out` -> `builder.FeatureBuilder`
     columns, outputs of transforms, losses -> `candidates` (with `variance_inflation`) -> `features.complete`
     -> `build.build_profile` -> `Profile` -> `held_out.with_held_out`

Terms of the whole package: docs/glossary.md.
"""
