"""A failure of the system, a peer or a defect is never dropped in silence: it is raised, logged, counted or returned.

The rule covers handlers of broad classes, such as OSError and Exception. A parser that returns None for a ValueError
states a fact about its input, and is not covered. An exception from the rule needs a reason here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import chain

import pytest

from tests.architecture.sources import Source, sources

FOLDERS = ("dashboards", "detectors", "sidecar")
BROAD = {
    "BaseException",
    "CheckpointError",
    "ClientError",
    "Exception",
    "JournalError",
    "KubeError",
    "OSError",
    "PilotfishError",
    "RpcError",
    "RuntimeError",
    "TroubleError",
    "UsageError",
}
LOGS = frozenset(("debug", "info", "warning", "error", "exception", "critical", "log", "note"))

# By module, or module and function, alphabetically: why a failure leaves no trace here.
SILENT = {
    "detectors/timezones.py:_offset": (
        "a time beyond the range of the C library has the offset 0, as the docstring says"
    ),
    "sidecar/analyzer/http/access.py:_check_token": (
        "the client gets 401, and `token_warning` reports the file each second"
    ),
    "sidecar/analyzer/peer.py:PeerClient.close": "the session is not used any more",
    "sidecar/analyzer/persistence.py:Persistence.save": "`problems` reports it from the journal",
    "sidecar/analyzer/profile_store.py:FileWatcher._stat": (
        "a file without a status counts as changed, and is read: that reports the cause"
    ),
    "sidecar/analyzer/profile_store.py:ProfileStore.confirm": "a file that stays is ignored by its digest",
    "sidecar/analyzer/profile_store.py:ProfileStore.forget_lost": "a file that stays is reported as lost again",
    "sidecar/analyzer/profile_store.py:ProfileStore.load_stored": (
        "the stored profile stays in its earlier form, and is in force"
    ),
    "sidecar/analyzer/profile_store.py:ProfileStore.restore_previous": (
        "False becomes the text that no earlier profile is in force"
    ),
    "sidecar/analyzer/profile_store.py:ProfileStore.store": (
        "the earlier profile is only a second copy; a full disk fails the write that follows"
    ),
    "sidecar/analyzer/state_files.py:remove_unfinished": (
        "folders of ended processes; they are removed again at the next start"
    ),
    "sidecar/analyzer/sync/followed.py:stored_identity": (
        "the configuration reads the same file, and reports why it cannot"
    ),
    "sidecar/certificates/files.py:CertificateFiles.expiries": (
        "`problem` says why; the earlier certificates and their expiry stay"
    ),
    "sidecar/channel/receiver.py:Receiver._read": "an error of the connection is its end; the proxy connects again",
    "sidecar/channel/receiver.py:Receiver.finish": "the proxy has disconnected before",
    "sidecar/channel/sender.py:Sender.disconnect": "the connection is given up in any case",
    "sidecar/channel/sender.py:Sender.flush": "False is the end of the connection, which the page has as no reader",
    "sidecar/channel/sender.py:Sender.reader_closed": (
        "True is the end of the connection, which the page has as no reader"
    ),
    "sidecar/channel/upstreams.py:read_unreachable": (
        "the counter page has the number of unreachable upstreams; the file only names them"
    ),
    "sidecar/control/download.py:_get": "the session is not used any more",
    "sidecar/control/manager/signals/pod_metrics.py:_time": "a sample with an impossible time counts as too old",
    "sidecar/control/manager/world.py:World.may_act": "the elector logs why this process does not lead",
    "sidecar/control/outbox_file.py:OutboxFile._save": "`problem` has the error of the file",
    "sidecar/control/webhook/sender.py:WebhookSender._answer": (
        "the receiver has accepted the event; what follows is of no interest"
    ),
    "sidecar/control/webhook/sender.py:WebhookSender._request": "the session is not used any more",
    "sidecar/demo/measurements.py:accounting_at_rest": (
        "repeated until the time is over; then the summary says that it is not known"
    ),
    "sidecar/demo/measurements.py:model_use": "None is shown as not measured",
    "sidecar/demo/measurements.py:overhead_of": "None is shown as not measured",
    "sidecar/demo/replay.py:FlightReplay._post": "None is counted as a failed request by the caller",
    "sidecar/demo/sandbox.py:Sandbox.__aenter__": "a temporary folder at the end of the demo",
    "sidecar/demo/sandbox.py:free_ports": "the port is in use; the next one is tried",
    "sidecar/doctor/gather.py:_ask_rights.ask": "None is reported as a right that could not be asked for",
    "sidecar/inject/offline/edit.py:rewrite": "the document is written whole instead, which the command says",
    "sidecar/log.py:LineHandler._write": "a stream in memory has no descriptor",
    "sidecar/log.py:_log_uncaught": "standard error is the last place to write to",
    "sidecar/node/cgroup_tree.py:_subfolders": (
        "cgroups end between listing and reading; no cgroup of a pod is reported as such"
    ),
    "sidecar/node/containers.py": (
        "processes and cgroups end between listing and reading; a container without figures is absent"
    ),
    "sidecar/node/kubelet.py:KubeletSource._ask": "only free devices are unknown then; their series is absent",
    "sidecar/notebook/progress.py:shown_progress.put": "standard error is closed; the work goes on",
    "sidecar/profiles/progress.py:_Lines.__call__": "standard error is closed; the work goes on",
    "sidecar/prometheus.py:_reason": "the error that is being raised has its status; only its text cannot be read",
    "sidecar/proxy/app.py:Proxy._write_unreachable": (
        "repeated twice a second; the page has the number and the log the reasons"
    ),
    "sidecar/proxy/attempt.py:is_connected_to_itself": "the connection was reset, which the relay finds at once",
    "sidecar/proxy/health.py": "the client has left, or relayed traffic needs the descriptors, which listener.py logs",
    "sidecar/proxy/listener.py:_descriptor_reserve": "it is taken at the next try",
    "sidecar/proxy/lookup.py:NameLookup.start": "reported as a failed lookup",
    "sidecar/proxy/relay.py": "the peer reset the connection: the reset is forwarded and counted",
    "sidecar/proxy/socket_state.py:reset_socket": "a dead socket needs no RST",
    "sidecar/proxy/sockets.py:literal_targets": "() means a name, which is looked up",
    "sidecar/recommend/sampling.py:_time": (
        "a sample with an impossible time is left out, and the number of samples is shown"
    ),
    "sidecar/report/pages/markup.py:_date": "a number of a saved report is shown as it is",
    "sidecar/resources/cgroups.py": "a controller that is not enabled has no file: None is shown as not measured",
    "sidecar/resources/gpu/session.py:listed_by_kernel": "no kernel module means no list; NVML reports the rest",
    "sidecar/resources/groups.py:read_mounts": "without mounts, the figures are those of /proc, and the method says so",
    "sidecar/resources/listeners.py": (
        "processes end while they are listed; what is not found or resolved is a reason of the source"
    ),
    "sidecar/resources/processes.py": "processes end while they are read: None is no process",
    "sidecar/run/app.py:_shared_folder": "a temporary folder at the end of the process",
    "sidecar/run/vital_signs.py": (
        "without a sign of life that can be read, the proxy may run well; the analyzer reports its page"
    ),
    "sidecar/serving/tls.py:TlsListener.stop": "handshakes that this process drops at its end; `_ended` logs defects",
    "sidecar/settings/validation.py:_drift": "becomes a problem of the document",
    "sidecar/system/addresses.py": "the test of a form: False means another form",
    "sidecar/system/files.py": (
        "cleaning up after the error that is being raised, or what cannot be removed is set aside"
    ),
    "sidecar/system/heartbeat.py:beat": "a supervisor that does not read needs no sign of life",
    "sidecar/system/limits.py:available_memory": "no cgroup sets a limit",
    "sidecar/system/logfile.py": (
        "cleaning up after the error that is being raised; the next append or sync repeats the rest"
    ),
    "sidecar/system/tokens.py:token_warning": "the file was replaced at this moment; the next call reports it",
    "sidecar/tasks.py:cancel_all": "examined: each exception is logged",
    "sidecar/terminal.py": "a closed terminal is the last place to write to",
    "sidecar/top/sidecars.py:_in_thread.work": "the program has ended",
}


def names(node: ast.expr | None) -> Iterator[str]:
    """Yield the last parts of the names of the caught classes; all exceptions for a bare `except`."""
    if node is None:
        yield "BaseException"
    for part in node.elts if isinstance(node, ast.Tuple) else [node]:
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr


def leaves_a_trace(handler: ast.ExceptHandler) -> bool:
    """Return whether the body raises, uses the exception, counts, or calls something that logs or reports."""
    for node in chain.from_iterable(map(ast.walk, handler.body)):
        if isinstance(node, (ast.Raise, ast.AugAssign)):
            return True
        if isinstance(node, ast.Name) and node.id == handler.name and isinstance(node.ctx, ast.Load):
            return True
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in LOGS or called.lstrip("_").startswith("report"):
                return True
    return False


def hides(node: ast.AST) -> bool:
    """Return whether a node drops failures of a broad class."""
    if isinstance(node, ast.ExceptHandler):
        return not BROAD.isdisjoint(names(node.type)) and not leaves_a_trace(node)
    if not isinstance(node, ast.Call):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called == "suppress":
        return not BROAD.isdisjoint(chain.from_iterable(map(names, node.args)))
    return any(keyword.arg in ("ignore_errors", "return_exceptions") for keyword in node.keywords)


def found_in(source: Source) -> Iterator[tuple[str, int]]:
    """Yield module and function, and the line, of each node that hides."""

    def visit(node: ast.AST, inside: str) -> Iterator[tuple[str, int]]:
        if isinstance(node, (ast.AsyncFunctionDef, ast.ClassDef, ast.FunctionDef)):
            inside = f"{inside}.{node.name}" if inside else node.name
        if hides(node):
            yield f"{source.path}:{inside}", getattr(node, "lineno", 0)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    yield from visit(source.tree, "")


def all_found() -> list[tuple[str, int]]:
    return [found for folder in FOLDERS for source in sources(folder) for found in found_in(source)]


def reason_of(place: str) -> str | None:
    """Return the key of the reason for a place, that of its function or of its module."""
    module = place.partition(":")[0]
    return place if place in SILENT else module if module in SILENT else None


def test_no_failure_is_dropped_in_silence() -> None:
    new = [
        f"{place} (line {line}): log, count or return the failure, or give a reason in SILENT"
        for place, line in all_found()
        if reason_of(place) is None
    ]
    assert not new, "\n".join(new)


def test_the_reasons_are_in_order_and_of_present_code() -> None:
    assert list(SILENT) == sorted(SILENT)
    assert SILENT.keys() == {reason_of(place) for place, _ in all_found()}


@pytest.mark.parametrize(
    ("code", "hidden"),
    [
        ("try: f()\nexcept OSError: pass", True),
        ("try: f()\nexcept (ValueError, aiohttp.ClientError): x = 0", True),
        ("try: f()\nexcept: pass", True),
        ("try: f()\nexcept Exception as error: return None", True),
        ("try: f()\nexcept ValueError: pass", False),
        ("try: f()\nexcept OSError: raise", False),
        ("try: f()\nexcept OSError as error: problem = str(error)", False),
        ("try: f()\nexcept OSError: _LOG.warning('x')", False),
        ("try: f()\nexcept OSError: failures += 1", False),
        ("with suppress(OSError): f()", True),
        ("with contextlib.suppress(FileNotFoundError): f()", False),
        ("await gather(*tasks, return_exceptions=True)", True),
        ("rmtree(folder, ignore_errors=True)", True),
    ],
)
def test_the_rule_finds_what_hides(code: str, hidden: bool) -> None:
    body = "\n".join(f"    {line}" for line in code.splitlines())
    tree = ast.parse(f"async def f():\n{body}")
    assert any(map(hides, ast.walk(tree))) is hidden
