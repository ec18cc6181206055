"""The table of reasons for which a value of a GPU is not available, and the return codes of NVML that mean them."""

from __future__ import annotations

from ...reason import ReasonTable


class GpuReason(ReasonTable):
    """Why a reading of a GPU is not available."""

    AVOIDED = (
        "avoided",
        "the call hung or crashed repeatedly; it is left out for 10 minutes",
        "look for Xid errors in the kernel's log; update the driver",
    )
    DEVICE_LOST = (
        "device_lost",
        "the GPU fell off the bus, or needs a reset",
        "drain the node and reset the GPU, or restart the node",
    )
    DRIVER_NOT_LOADED = (
        "driver_not_loaded",
        "the library is installed, but the kernel module of the driver is not loaded",
        "load the driver, or give this container a GPU",
    )
    FAILED = ("failed", "the driver returned an error that has no reason of its own in this table")
    FOREIGN_PROCESS = (
        "foreign_process",
        "the driver hides processes of other PID namespaces",
        "share the process namespace of the pod (shareProcessNamespace), or run on the host",
    )
    FUNCTION_MISSING = ("function_missing", "the driver is too old for this reading", "update the driver")
    INCONSISTENT = ("inconsistent", "the driver's list changed or contradicted itself during each attempt to read it")
    INVALID_VALUE = ("invalid_value", "the driver returned a value outside of the range of its unit")
    LIBRARY_MISSING = (
        "library_missing",
        "libnvidia-ml.so.1 is not installed",
        "without an NVIDIA GPU, nothing; otherwise install the driver, or add its folder to LD_LIBRARY_PATH",
    )
    MIG = ("mig", "NVML has no such value while the GPU is partitioned by MIG")
    NO_DEVICE = ("no_device", "the driver works and lists no GPU")
    NO_PERMISSION = (
        "no_permission",
        "the driver refused the call to this user",
        "run as root, or with the capability SYS_ADMIN for MIG",
    )
    NO_SAMPLES = ("no_samples", "the driver has no sample since the last one; this is normal for an idle GPU")
    PACKAGE_MISSING = ("package_missing", "the package nvidia-ml-py cannot be imported", "install Pilotfish again")
    SAMPLER_DIED = ("sampler_died", "the sampling process ended; it is started again")
    SAMPLER_HUNG = ("sampler_hung", "a call of the driver did not return, and the sampling process was killed")
    STARTING = ("starting", "the first sample is being taken")
    TIMEOUT = ("timeout", "the driver gave up waiting for the GPU")
    TOO_MANY = ("too_many", "the driver listed more than Pilotfish reads")
    UNSUPPORTED = ("unsupported", "this GPU, or this mode of it, does not support the reading")
    VERSION_MISMATCH = (
        "version_mismatch",
        "library and kernel module of the driver are of different versions",
        "restart the node, or this container, after an update of the driver",
    )


# nvmlReturn_t. Kept here instead of read from nvidia-ml-py, which only the child may import.
BY_CODE = {
    1: GpuReason.DRIVER_NOT_LOADED,  # UNINITIALIZED
    3: GpuReason.UNSUPPORTED,
    4: GpuReason.NO_PERMISSION,
    6: GpuReason.NO_SAMPLES,  # NOT_FOUND
    7: GpuReason.INCONSISTENT,  # INSUFFICIENT_SIZE, after the retries
    9: GpuReason.DRIVER_NOT_LOADED,
    10: GpuReason.TIMEOUT,
    12: GpuReason.LIBRARY_MISSING,
    13: GpuReason.FUNCTION_MISSING,
    15: GpuReason.DEVICE_LOST,
    16: GpuReason.DEVICE_LOST,  # RESET_REQUIRED
    18: GpuReason.VERSION_MISMATCH,
    21: GpuReason.NO_SAMPLES,  # NO_DATA
    25: GpuReason.FUNCTION_MISSING,  # ARGUMENT_VERSION_MISMATCH: the driver is older than the structure
    26: GpuReason.FUNCTION_MISSING,  # DEPRECATED
    28: GpuReason.DEVICE_LOST,  # GPU_NOT_FOUND
}
INSUFFICIENT_SIZE = 7
# If every call fails so, the library answers nothing from then on; a new process has to load it.
ENDS_SESSION = frozenset((GpuReason.DRIVER_NOT_LOADED, GpuReason.VERSION_MISMATCH))
# On a machine without a GPU, these are no faults.
EXPECTED = frozenset((GpuReason.DRIVER_NOT_LOADED, GpuReason.LIBRARY_MISSING, GpuReason.NO_DEVICE, GpuReason.STARTING))


def reason_of(code: int) -> GpuReason:
    """Return the reason for a return code of NVML."""
    return BY_CODE.get(code, GpuReason.FAILED)
