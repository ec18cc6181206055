"""The role `pilotfish node`: which pod uses which GPU of a node, for the analyzers of the pods on it."""
