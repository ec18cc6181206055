"""What a review of the injector takes with 10,000 Services in the cache: `make bench-control`.

    python -m tests.benchmarks.injector [--services 10000] [--replica-sets 5000] [--reviews 1000] [--rate 20]

A child process holds the API server and sends the reviews over TLS, at a fixed rate whether or not earlier ones are
answered. Latency counts from the time at which a review was due. Memory is what this process grows by when it reads the
objects. `one namespace` has all Services in the namespace of the pods.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import random
import ssl
import time
from multiprocessing.connection import Connection
from statistics import median

import aiohttp

from pilotfish.sidecar.certificates.authority import Authority, service_names
from pilotfish.sidecar.inject.server.app import InjectorServer
from pilotfish.sidecar.inject.server.review import parse_review
from pilotfish.sidecar.kube.objects import NAMESPACES, REPLICA_SETS, SECRETS, SERVICES, Resource
from pilotfish.sidecar.telemetry.process import memory_usage
from tests.benchmarks.__main__ import machine
from tests.inject.server.running import OPTIONS, SHOP, SYSTEM, WEBHOOK, Object, controlled, namespace, pod, review
from tests.support.apiserver.server import ApiServer
from tests.support.apiserver.storage import Kind, Storage
from tests.support.waiting import eventually

TARGET_MILLISECONDS = 50.0  # at the 99th percentile
PLACES = 100
MIB = 1024 * 1024


def service(index: int, place: str) -> Object:
    """Return a Service as the API server stores it."""
    labels = {"app": f"model-{index}", "app.kubernetes.io/managed-by": "Helm", "tier": "serving"}
    managed = [{"manager": "helm", "operation": "Update", "fieldsV1": {f"f:field-{n}": {} for n in range(20)}}]
    spec = {
        "clusterIP": "10.96.0.1",
        "type": "ClusterIP",
        "selector": {"app": f"model-{index}", "tier": "serving"},
        "ports": [
            {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"},
            {"name": "grpc", "port": 9000, "targetPort": 9000, "protocol": "TCP"},
        ],
    }
    metadata = {"name": f"model-{index}", "namespace": place, "labels": labels, "managedFields": managed}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def replica_set(index: int, place: str) -> Object:
    """Return a ReplicaSet of a Deployment, with a template of 3 kB."""
    owner = controlled("Deployment", f"model-{index}")
    metadata = {"name": f"model-{index}-abc", "namespace": place, "ownerReferences": owner}
    return {"metadata": metadata, "spec": {"template": {"metadata": {"annotations": {"text": "x" * 3000}}}}}


class SharedStorage(Storage):
    """A Storage that lists without copies, which would take minutes for 10,000 objects."""

    def all(self, kind: Kind, namespace: str = "") -> list[Object]:
        """Return the objects of a kind."""
        return [item for key, item in self.objects.items() if key[0] == kind and namespace in {"", key[1]}]


async def _cluster(pipe: Connection, services: int, replica_sets: int, *, spread: bool) -> None:
    """Serve the API, tell the parent the port, and send reviews to the injector that the parent names."""
    places = [SHOP, *(f"shop-{index}" for index in range(1, PLACES))] if spread else [SHOP]
    async with ApiServer(storage=SharedStorage()) as api:
        secret = {"metadata": {"name": "pilotfish-ca", "namespace": SYSTEM}}
        fill(api, SECRETS, [secret])
        fill(api, NAMESPACES, [namespace(name) for name in (*places, SYSTEM)])
        fill(api, SERVICES, [service(index, places[index % len(places)]) for index in range(services)])
        fill(api, REPLICA_SETS, [replica_set(index, places[index % len(places)]) for index in range(replica_sets)])
        pipe.send(api.port)
        asked = await asyncio.to_thread(pipe.recv)
        pipe.send(await _load(*asked))
        await asyncio.to_thread(pipe.recv)


def fill(api: ApiServer, resource: Resource, items: list[Object]) -> None:
    """Store objects."""
    for item in items:
        place = item["metadata"].get("namespace", "")
        api.storage.create(Kind(resource.group, resource.version, resource.plural), place, item)


def body(index: int, services: int, step: int) -> Object:
    """Return the review of a pod of one of the models in SHOP."""
    number = index * step % services
    labels = {"app": f"model-{number}", "tier": "serving"}
    owner = controlled("ReplicaSet", f"model-{number}-abc")
    return review(pod(labels=labels, ownerReferences=owner))


async def _load(port: int, bundle: str, reviews: int, rate: float, services: int, step: int) -> list[float]:
    """Send reviews at a rate, and return their latencies in seconds."""
    trusting, chance = ssl.create_default_context(cadata=bundle), random.Random(1)
    latencies: list[float] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=50)) as session:

        async def send(raw: bytes, due: float) -> None:
            async with session.post(f"https://127.0.0.1:{port}/inject", data=raw, ssl=trusting) as response:
                answer = await response.json(content_type=None)
            assert "patch" in answer["response"], answer
            latencies.append(time.perf_counter() - due)

        due, tasks = time.perf_counter() + 0.1, []
        for index in range(reviews):
            raw = json.dumps(body(index, services, step)).encode()
            due += chance.expovariate(rate)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(send(raw, due)))
        await asyncio.gather(*tasks)
    return latencies


def _child(pipe: Connection, services: int, replica_sets: int, spread: bool) -> None:
    asyncio.run(_cluster(pipe, services, replica_sets, spread=spread))


async def _measure(arguments: argparse.Namespace, *, spread: bool) -> str:
    """Return a row of the table."""
    pipe, other = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    child = context.Process(
        target=_child, args=(other, arguments.services, arguments.replica_sets, spread), daemon=True
    )
    child.start()
    api = ApiServer(port=await asyncio.to_thread(pipe.recv))
    kube, stop = await api.connect(), asyncio.Event()
    authority = Authority(kube, SYSTEM, service_names(WEBHOOK, SYSTEM))
    server = InjectorServer(kube, OPTIONS, authority)
    gc.collect()
    before = memory_usage()[1]
    running = asyncio.create_task(server.run(stop))
    await eventually(lambda: running.done() or not server.not_ready(), 120, "the injector")
    gc.collect()
    grown = (memory_usage()[1] - before) / MIB
    step = PLACES if spread else 1
    decisions = await _decide(server, arguments, step)
    pipe.send((server.port, authority.bundle.decode(), arguments.reviews, arguments.rate, arguments.services, step))
    spent = time.process_time()
    latencies = sorted(await asyncio.to_thread(pipe.recv))
    spent = (time.process_time() - spent) / arguments.reviews
    stop.set()
    await running
    pipe.send(None)
    await kube.close()
    await asyncio.to_thread(child.join)
    where = f"{PLACES} namespaces" if spread else "one namespace"
    numbers = (median(decisions), _p99(decisions), spent, median(latencies), _p99(latencies))
    return f"| {where} | " + " | ".join(f"{1000 * number:.2f}" for number in numbers) + f" | {grown:.0f} |"


async def _decide(server: InjectorServer, arguments: argparse.Namespace, step: int) -> list[float]:
    """Return the CPU seconds of decisions without HTTP, sorted."""
    spent = []
    for index in range(arguments.reviews):
        raw = json.dumps(body(index, arguments.services, step)).encode()
        start = time.process_time()
        decision = await server.decider.decide(parse_review(raw))
        decision.answer()
        spent.append(time.process_time() - start)
    return sorted(spent)


def _p99(values: list[float]) -> float:
    return values[int(0.99 * len(values))]


def main() -> None:
    """Measure both layouts, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--replica-sets", type=int, default=5_000)
    parser.add_argument("--reviews", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=20.0, help="reviews a second")
    arguments = parser.parse_args()
    print(
        f"{machine()}; {arguments.services:,} Services, {arguments.replica_sets:,} ReplicaSets, {arguments.reviews:,} "
        f"reviews at {arguments.rate:g}/s; the target is {TARGET_MILLISECONDS:g} ms at the 99th percentile"
    )
    print("| Services in | decision p50, CPU ms | p99 | review, CPU ms | review p50, ms | p99 | memory, MiB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for spread in (True, False):
        print(asyncio.run(_measure(arguments, spread=spread)), flush=True)


if __name__ == "__main__":
    main()
