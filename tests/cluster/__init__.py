"""Tests on a real node (`make test-cluster`): pods that run, Services that route, a client that counts failures."""
