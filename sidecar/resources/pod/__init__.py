"""The figures of one pod, as `pilotfish node` answers them, and what the analyzer of the pod makes of them.

node --(figures.py, over TLS)--> analyzer --> usage.py --> UsageSample of the model and of Pilotfish, growth of GPUs
--> gpus.py  --> GpuSample and GpuUse, as of a driver of this machine
"""
