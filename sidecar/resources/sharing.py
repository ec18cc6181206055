"""Advice about sharing GPUs, from what the sidecar measured itself. Pure: samples in, block of the report out."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..channel import layout
from ..channel.page import PageSnapshot
from ..errors import number
from ..report.blocks.sharing import Advice, CardSharing, CardUser, Packing
from .gpu.meter import GpuUse, ResourceSum
from .gpu.sample import DeviceSample, GpuSample
from .packing import MOST_BUSY, ModelLoad, packed_p95, quantile, slowdowns

LEAST_SECONDS = 600.0  # of measuring before there is advice
MOSTLY_IDLE = 0.6
PARTLY_FILLED = 0.5  # share of the processors that kernels use while one runs
SAME_LOAD = "the same load again"
P95 = 0.95


def share_cards(
    sample: GpuSample, use: GpuUse, pids: Collection[int], load: ModelLoad | None, gpu_hour: float | None = None
) -> tuple[CardSharing, ...]:
    """Return who uses each card, how long it was idle, an estimate of packing, and advice.

    Args:
        use: sums since the start of the analyzer.
        pids: processes of the monitored model server.
        load: its traffic; None without a request.
        gpu_hour: the price of a GPU for an hour; None without prices.
    """
    return tuple(_card(device, sample, use, pids, load, gpu_hour) for device in sample.devices)


def model_load(page: PageSnapshot) -> ModelLoad | None:
    """Return the traffic since the proxy started, without probes; None without a request."""
    routes = [route for route in page.routes if route.route != layout.PROBES_ROUTE]
    histograms = [route.histograms["duration"] for route in routes]
    counts = [sum(found) for found in zip(*(one.counts for one in histograms), strict=True)]
    p95 = quantile(P95, [bound / 1e9 for bound in layout.BOUNDS], counts)
    elapsed = page.heartbeat_ns - page.started_ns
    if p95 is None or elapsed <= 0:
        return None
    return ModelLoad(sum(route.in_flight_time(page.read_ns) for route in routes) / elapsed, p95)


def _card(
    device: DeviceSample,
    sample: GpuSample,
    use: GpuUse,
    pids: Collection[int],
    load: ModelLoad | None,
    gpu_hour: float | None,
) -> CardSharing:
    busy = _busy(use, device.uuid)
    users = tuple(_users(device, sample, use, pids))
    packing = _packing(device, sample, use, users, load) if busy is not None and load is not None else None
    advice, text = _advise(device, busy, users, packing, use.devices.get(device.uuid, ResourceSum()).measured_seconds)
    return CardSharing(
        uuid=device.uuid,
        name=device.name or "",
        measured_seconds=use.devices.get(device.uuid, ResourceSum()).measured_seconds,
        idle_ratio=None if busy is None else 1.0 - busy,
        idle_cost_per_hour=None if busy is None or gpu_hour is None else (1.0 - busy) * gpu_hour,
        memory_bytes=device.memory_total,
        memory_used_bytes=device.memory_used,
        users=users,
        packing=packing,
        advice=advice,
        text=text,
    )


def _busy(use: GpuUse, uuid: str) -> float | None:
    """Return the share of the measured time with a kernel; None if it is not known."""
    return _ratio(use.devices.get(uuid)) if uuid in use.with_utilization else None


def _ratio(sums: ResourceSum | None) -> float | None:
    if sums is None or sums.measured_seconds <= 0:
        return None
    return min(1.0, sums.busy_seconds / sums.measured_seconds)


def _users(device: DeviceSample, sample: GpuSample, use: GpuUse, pids: Collection[int]) -> Iterable[CardUser]:
    for process in sample.processes:
        if process.device == device.uuid:
            busy = _ratio(use.processes.get((process.pid, device.uuid)))
            yield CardUser(pid=process.pid, own=process.pid in pids, memory_bytes=process.memory_used, busy_ratio=busy)


def _packing(
    device: DeviceSample, sample: GpuSample, use: GpuUse, users: Collection[CardUser], load: ModelLoad | None
) -> Packing | None:
    """Return the estimate for the load of the model's least busy other card, else for the same load again."""
    busy = _busy(use, device.uuid)
    if busy is None or load is None or not any(user.own for user in users):
        return None
    own = {process.device for process in sample.processes if process.pid in {user.pid for user in users if user.own}}
    others = [(found, one) for one in sample.devices if one.uuid in own - {device.uuid}
              and (found := _busy(use, one.uuid)) is not None]  # fmt: skip
    other, partner = min(others, key=lambda pair: pair[0], default=(busy, device))
    if busy + other > MOST_BUSY:
        return None
    slowdown, _ = slowdowns(busy, other)
    low, high = packed_p95(load, busy, slowdown)
    return Packing(
        partner=SAME_LOAD if partner is device else partner.uuid,
        busy_ratio=busy + other,
        slowdown=slowdown,
        p95_seconds=load.p95_seconds,
        p95_low=low,
        p95_high=high,
        memory_fits=_fits(device, partner),
    )


def _fits(device: DeviceSample, partner: DeviceSample) -> bool | None:
    if device.memory_total is None or device.memory_used is None or partner.memory_used is None:
        return None
    return device.memory_used + partner.memory_used <= device.memory_total


def _advise(
    device: DeviceSample, busy: float | None, users: Collection[CardUser], packing: Packing | None, measured: float
) -> tuple[Advice, str]:
    """Return the advice and its reasons in sentences."""
    if device.mig_enabled and busy is None:
        return "keep", "MIG partitions this card already, and the driver reports no use of the whole card."
    if busy is None:
        return (
            "unknown",
            "The driver reports no utilization of this card, so that its idle time is not known.",
        )
    figures = f"A kernel ran in {busy:.0%} of {measured / 3600:.1f} h"
    if measured < LEAST_SECONDS:
        return "unknown", f"{figures}; there is advice after {LEAST_SECONDS / 60:g} minutes."
    foreign = sum(not user.own for user in users)
    if foreign:
        return "keep", f"{figures}. The card is shared with {number(foreign, 'other process')}."
    if 1.0 - busy < MOSTLY_IDLE:
        return "keep", f"{figures}. A second load would make requests wait for each other."
    if packing is None:
        return "unknown", f"{figures}. Without requests of the monitored model on this card, no latency is estimated."
    if packing.memory_fits is False:
        return "keep", f"{figures}. The memory does not hold {packing.partner} as well."
    estimate = (
        f"{figures}. With {packing.partner} on this card, the 95 % quantile of the duration is estimated at "
        f"{packing.p95_low:.3g} s to {packing.p95_high:.3g} s instead of {packing.p95_seconds:.3g} s."
    )
    filled = _filled(device)
    if filled is None or filled >= PARTLY_FILLED:
        how = "The share of processors that kernels fill is " + ("not known" if filled is None else f"{filled:.0%}")
        return "time_slicing", f"{estimate} {how}: time-slicing fits, and needs no change of the model server."
    how = f"Kernels fill {filled:.0%} of the processors in the newest sample"
    if device.mig_enabled is not None:
        return "mig", f"{estimate} {how}: MIG instances would isolate memory and time of both."
    return "mps", f"{estimate} {how}: MPS lets kernels of both run at once."


def _filled(device: DeviceSample) -> float | None:
    """Return the share of the processors that kernels use while one runs, in the newest sample."""
    if device.sm_utilization is None or not device.utilization:
        return None
    return min(1.0, device.sm_utilization / device.utilization)
