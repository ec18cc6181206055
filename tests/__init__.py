"""Tests mirror the packages. `support` holds shared code, `architecture` the rules of the repository itself."""
