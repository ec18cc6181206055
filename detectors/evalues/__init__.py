"""E-values of one feature: the bank of likelihood ratios and the upper bounds that the reference gives them."""
