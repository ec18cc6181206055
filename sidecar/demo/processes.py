"""Prepares and starts the processes of the demo: model server, trainer, `pilotfish run` and replay, in this order."""

from __future__ import annotations

import asyncio
import io
import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec
import numpy as np

from ..report.schema import Report
from . import reference, server, trainer
from .flights import Flights, load, mixed_days
from .messages import reason_of
from .model import RidgeModel, fit
from .replay import ReplaySettings
from .sandbox import PATIENCE, ChildProcess, DemoError, Sandbox, free_ports
from .state import DemoPlan
from .wire import INFER_PATH, MODEL_NAME, MODEL_VERSION, encode_rows

REQUEST_FILE = "request.json"  # one row that a person can send
SEED = 2013
POLL = 0.1  # seconds between two checks while a process starts
TIMEOUT = aiohttp.ClientTimeout(total=5)
PRICES = {"cpuHour": 0.04, "memoryGiBHour": 0.005, "currency": "USD"}  # about those of a cloud
FALSE_ALARMS = {"count": 1, "per": "30d"}  # the default; at one tick a second that is one in 2,592,000 ticks


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """Model and profile of the days before the replay, and the flights of the days to replay."""

    model: RidgeModel
    profile: bytes
    profile_hash: str
    later: Flights


@dataclass(frozen=True, slots=True)
class DemoProcesses:
    """The running processes and their addresses."""

    run: ChildProcess
    replay: ChildProcess
    proxy_address: str
    admin: str
    token: str


def prepare(plan: DemoPlan) -> PreparedModel:
    """Load the flights, fit the model and build the profile (a few seconds of one core)."""
    flights = mixed_days(load(), np.random.default_rng(SEED))
    earlier = flights.days(0, plan.first_day)
    model = fit(earlier.columns, earlier.air_time)
    profile = reference.build(model, earlier)
    last = int(flights.day[-1])
    return PreparedModel(model, profile.to_bytes(), profile.hash, flights.days(plan.first_day, last + 1))


async def start_processes(sandbox: Sandbox, plan: DemoPlan, prepared: PreparedModel) -> DemoProcesses:
    """Start all processes; traffic begins when `pilotfish run` monitors with the profile.

    Raises:
        DemoError: a process did not get ready; the message has the end of its log.
    """
    token = secrets.token_urlsafe(24)
    token_file, secret_file = sandbox.write("token", token), sandbox.write("secret", secrets.token_hex(32))
    model_file = sandbox.write("model.json", msgspec.json.encode(prepared.model))
    server_port = await (await sandbox.own("server", model_file, token_file)).port()
    proxy_address, admin = (f"http://127.0.0.1:{port}" for port in free_ports(2))
    settings = trainer.TrainerSettings(
        admin_url=admin,
        load_url=f"http://127.0.0.1:{server_port}{server.LOAD_PATH}",
        token_file=str(token_file),
        secret_file=str(secret_file),
        wanted_days=plan.wanted_days,
    )
    trainer_port = await (await sandbox.own("trainer", _settings(sandbox, "trainer", settings))).port()
    sandbox.write("profile.json", prepared.profile)
    document = sandbox.write(
        "monitor.yaml", json.dumps(monitor(f"http://127.0.0.1:{trainer_port}{trainer.HOOK_PATH}"), indent=2)
    )
    run = await sandbox.pilotfish(
        "run", "--file", str(document),
        "--listen", proxy_address.removeprefix("http://"), "--upstream", f"127.0.0.1:{server_port}",
        "--admin", admin.removeprefix("http://"), "--token-file", str(token_file),
        "--shared", str(sandbox.folder / "shared"), "--state", str(sandbox.folder / "state"),
    )  # fmt: skip
    await _watching(run, admin, token, prepared.profile_hash)
    sandbox.write(REQUEST_FILE, encode_rows(prepared.later.rows(slice(0, 1)).columns))
    replay = ReplaySettings(
        flights_file=str(sandbox.write("flights.npz", _packed(prepared.later))),
        change_day=plan.change_day,
        change_origin=plan.change_origin,
        through_url=proxy_address + INFER_PATH,
        direct_url=f"http://127.0.0.1:{server_port}{INFER_PATH}",
        labels_url=f"http://127.0.0.1:{trainer_port}{trainer.LABELS_PATH}",
    )
    return DemoProcesses(
        run, await sandbox.own("replay", _settings(sandbox, "replay", replay)), proxy_address, admin, token
    )


def monitor(webhook: str) -> dict[str, object]:
    """Return the document for `pilotfish run`; a tick of one second stands for a day."""
    return {
        "apiVersion": "pilotfish.dev/v1alpha1",
        "kind": "ModelMonitor",
        "metadata": {"name": MODEL_NAME},
        "spec": {
            "mode": "act",
            "model": {"name": MODEL_NAME, "version": MODEL_VERSION},
            "profiles": [{"version": MODEL_VERSION, "path": "profile.json"}],
            "prices": PRICES,
            "drift": {"tick": f"{reference.TICK:.0f}s", "falseAlarms": FALSE_ALARMS},
            "retrain": {"causes": ["drift"], "webhook": {"url": webhook, "secretFile": "secret"}},
        },
    }


async def fetch_report(client: aiohttp.ClientSession, admin: str, token: str) -> Report:
    """Return the report; raise aiohttp.ClientError, TimeoutError or msgspec.DecodeError when it is unavailable."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    async with client.get(f"{admin}/report", headers=headers) as response:
        response.raise_for_status()
        return msgspec.json.decode(await response.read(), type=Report)


async def _watching(run: ChildProcess, admin: str, token: str, profile_hash: str) -> None:
    """Wait until the analyzer monitors with the profile of that hash."""
    deadline = time.monotonic() + PATIENCE
    state = "it does not respond"
    async with aiohttp.ClientSession(timeout=TIMEOUT) as client:
        while time.monotonic() < deadline and run.process.returncode is None:
            try:
                report = await fetch_report(client, admin, token)
            except (aiohttp.ClientError, TimeoutError) as error:
                state = f"its report is unavailable: {reason_of(error)}"
            else:
                if report.state == "watching" and report.profile is not None and report.profile.hash == profile_hash:
                    return
                state = f"its state is {report.state}: {report.reason}"
            await asyncio.sleep(POLL)
    raise DemoError(f"{run.name} does not monitor the traffic: {state}; {run.log_tail()}")


def _settings(sandbox: Sandbox, name: str, settings: msgspec.Struct) -> Path:
    return sandbox.write(f"{name}.json", msgspec.json.encode(settings))


def _packed(flights: Flights) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, air_time=flights.air_time, day=flights.day, **flights.columns)  # type: ignore[arg-type]
    return buffer.getvalue()
