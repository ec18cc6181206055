"""Detection on the folded counts: evidence for each tick, alarms within the budget, episodes, and replay over recorded rows."""
