"""Detection on the folded counts: evidence of each tick, alarms within the budget, episodes, and replay."""
