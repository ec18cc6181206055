"""Arithmetic of the resources in pod specs: quantities, QoS classes, and changed requests and limits. Pure."""
