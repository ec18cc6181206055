"""Which of the visible GPUs count as the model server's, with the source `local`. Pure.

The processes of the model server decide. Where the driver hides them, as in a container, the GPU with hidden processes
counts as a whole. Without a visible process, only a GPU that the option `--model-gpu` names counts: whether somebody
else uses a visible GPU cannot be known from inside a container.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from .gpu.meter import GpuUse
from .gpu.problems import GpuReason
from .gpu.sample import GpuSample
from .gpu_use import ModelGpuUse, model_gpu_use

ALL = "all"  # of --model-gpu
HIDDEN_PROCESSES = "the driver hides the processes on a GPU, so the whole GPU counts as the model server's"
DECLARED = "a GPU counts as the model server's as a whole, since `--model-gpu` names it"
NOT_DECLARED = (
    "no process of the model server is visible: the values of the GPUs are those of all their users, and none of it is "
    "attributed; `--model-gpu` names a GPU that only the model server uses"
)
UNKNOWN_GPU = "`--model-gpu` names a GPU that is not visible here; its use is not known"


def local_gpu_use(
    before: GpuUse, after: GpuUse, sample: GpuSample, pids: Collection[int], declared: Collection[str]
) -> ModelGpuUse:
    """Return the use of the model server's GPUs between two sums, with what is not known in its notes.

    `pids` are the processes of the model server, empty if none is visible. `declared` are UUIDs of GPUs and MIG
    instances, or `ALL`.
    """
    units = set(after.devices) | set(after.instances)
    parted = {card for card, _ in after.cards.values()}
    named = units - parted if ALL in declared else units & set(declared)
    on_named = {pid for pid, unit in after.present if unit in named}
    hidden = {one.device for one in sample.problems if one.reason is GpuReason.FOREIGN_PROCESS} if pids else set[str]()
    found = model_gpu_use(before, after, set(pids) | on_named, named | hidden)
    counts = bool(sample.devices)
    notes = (
        (HIDDEN_PROCESSES, bool(hidden - named)),
        (DECLARED, bool(named)),
        (NOT_DECLARED, counts and not pids and not named),
        (UNKNOWN_GPU, counts and bool(set(declared) - {ALL} - units)),
    )
    return replace(found, notes=(*found.notes, *(text for text, applies in notes if applies)))
