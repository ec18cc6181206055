"""Pure statistics of drift: numpy in, numbers out; no I/O, no clock, nothing of the sidecar."""
