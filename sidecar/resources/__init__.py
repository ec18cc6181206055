"""Reads what the model server and this process use: CPU, memory, GPU. Shares it out to routes and versions."""
