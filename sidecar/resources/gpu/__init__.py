"""Samples the GPUs of this machine once a second by NVML, NVIDIA's management library.

```
driver -> nvidia-ml-py -> child (a process of its own: `child`, `session`, `reader`)
       -> one line of JSON a sample -> sampler (in the analyzer) -> GpuSample
       -> meter: sums that survive restarts of the child -> metrics, attribution
```

The driver may block a call forever, crash its caller, or disappear. So only the child loads it, and the parent starts
the child again. The child imports the standard library and nvidia-ml-py, since its memory counts for each sidecar.

device    a whole GPU, named by its UUID
instance  a part of a GPU under MIG (Multi-Instance GPU)
reading   one kind of value, such as `power`; a value that is not available is None, and a `GpuProblem` names the reason
"""
