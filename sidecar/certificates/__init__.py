"""The self-managed certificates of a cluster: one authority in a Secret, and serving certificates in memory."""
