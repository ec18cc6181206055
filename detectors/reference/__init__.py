"""From reference rows to a profile: blocks, candidate features, variance inflation, and the held-out trial."""
