"""Shared code of the tests: waiting with a deadline, free ports, child processes that never outlive their test."""
