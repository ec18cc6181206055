"""What the kernel allows a test."""

from __future__ import annotations

import resource


def raise_descriptor_limit(wanted: int) -> int:
    """Allow this process `wanted` open descriptors, or as many as it may have; return how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = max(soft, wanted if hard == resource.RLIM_INFINITY else min(wanted, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed
