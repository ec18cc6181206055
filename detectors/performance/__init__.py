"""Performance: the losses of labelled rows, and the loss to expect before labels arrive.

Terms
-----
task            classification, regression or ranking; it selects the loss function
score bin       a bin of the score column's feature
loss level      one of a few sizes of loss, used to count losses by score
realized loss   the mean loss of rows whose labels have arrived
estimated loss  the loss to expect before labels arrive: the reference's loss at the same scores
score calibration  whether scores are probabilities

Data flow
---------
reference rows, options -> `roles.infer_roles` -> `fit.fit_loss` -> LossTransform, PerformanceSpec (in the profile)
labelled row            -> LossTransform -> "loss" (monitored), "loss:by_score" (counted only) -> Counts
Profile, Counts         -> `realized.realized`, `estimate.estimate`

All figures come from integer counts, so they add up over pods. Only the feature "loss" raises alarms; an estimate never
does. Terms of the whole package: docs/glossary.md.
"""
