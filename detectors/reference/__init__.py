"""From reference rows to a profile: blocks, candidate features, variance inflation, sensitivity, and the held-out trial."""
