"""Losses of labelled rows.

Terms
-----
task           classification, regression or ranking; it selects the loss function
loss           the error of one labelled row, in [0, 1]; NaN if the row has none
loss function  maps a prediction column and a label column to losses
class          a label or prediction as text; 1, 1.0, "1" and true are the same class

Data flow
---------
prediction, label -> `LossFunction.of` -> losses [rows] -> `transforms.loss` -> bins -> counts

Terms of the whole package: docs/glossary.md.
"""
