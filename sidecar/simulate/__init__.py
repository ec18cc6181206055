"""The command `pilotfish simulate`: plays a load trace through the policy of a document."""
