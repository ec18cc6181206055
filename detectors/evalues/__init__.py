"""E-values of one feature: likelihood ratios of the alternatives, and upper bounds on their means.

Terms
-----
alternative             one kind of drift that is tested: a shift, a change of spread, more missing values
likelihood ratio (h)    per bin, how much more likely the bin is under an alternative than under the reference
bank                    all alternatives of one feature, with prior weights
tolerance               drift too small to matter, as a chi-square distance
upper bound (U)         an upper confidence bound on the mean of h without drift, tolerance included
confidence grid         the few confidence levels at which each alternative is bounded; drift must show at each
reference evidence (k)  the evidence of the reference alone against a mean above a bound
e-value                 a non-negative statistic with an expectation of at most 1 without drift; here h / U

Data flow
---------
bins, training counts        -> `bank.build_bank` -> h
h, calibration counts        -> `bounds.fixed_point_bounds` -> log h, log U (integers)
log h, log U, counts of a tick -> `detection.compiled_bank.CompiledBank` -> increments of the evidence

Terms of the whole package: docs/glossary.md.
"""
