"""The profile: the immutable description of the reference data, its parts, and its JSON form."""
