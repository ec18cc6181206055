"""Resizing of the CPU and memory of containers."""
