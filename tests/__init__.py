"""Tests mirror the packages; `support` is what they share, `architecture` holds the rules of the repository itself."""
