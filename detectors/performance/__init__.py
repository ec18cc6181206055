"""How well the model does: losses of labelled rows, and what to expect of rows whose labels have not come.

Words
-----
loss         of one labelled row, in [0, 1]: wrong or right, a scaled error, or a rank (`losses`)
task         classification, regression or ranking: which loss
score cell   a cell of the score column's feature
level        one of a few sizes of loss, for counting losses by score cell
realized     the mean loss of rows whose labels came (`realized`)
estimate     the loss to expect of all rows: what the reference's rows with such scores had (`estimate`)
calibration  whether scores are the probabilities that they look like (`calibration`)

    reference rows, roles -> `roles.settled` -> `fit.fitted` -> LossTransform (in the profile), Performance (for people)
    labelled row -> LossTransform -> "loss" (watched, one-sided), "loss:by_score" (counted only) -> Counts
    Profile, Counts -> `realized`, `estimate`

Everything is made of integer counts, so it adds up over pods. Only "loss" raises alarms; an estimate never does.
"""
