"""The command `pilotfish node`: what each pod uses of the GPUs of one node."""
