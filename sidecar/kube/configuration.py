"""Where the API server is and how to authenticate, read by the official client.

The official client is imported here, when a connection is made: its import costs 0.35 s and 54 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ..errors import UsageError, quote_value
from ..system.files import read_file
from .errors import KubeError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
OWN_ACCOUNT = "(default: the service account of the pod, else the usual kubeconfig)"
LOAD_TIMEOUT = 30.0  # seconds; a kubeconfig may run a program that asks for credentials

Load = Callable[[Any], Awaitable[None]]


def loader(kubeconfig: Path | None, context: str, service_account: Path = SERVICE_ACCOUNT) -> Load:
    """Return the function that loads address and credentials into a `Configuration`; it may run again at any time.

    Without `kubeconfig` and `context`, a pod's service account is used if it exists, else `$KUBECONFIG` or
    `~/.kube/config`.
    """
    if kubeconfig is None and not context and (service_account / "token").is_file():
        return lambda configuration: _load_service_account(configuration, service_account)
    file = str(kubeconfig or os.environ.get("KUBECONFIG") or Path("~/.kube/config").expanduser())
    return lambda configuration: _load_kubeconfig(configuration, file, context)


def add_kubeconfig_arguments(parser: argparse.ArgumentParser, default: str = OWN_ACCOUNT) -> None:
    """Add --kubeconfig and --context; `default` says in the help what is used without a file."""
    add = parser.add_argument
    add("--kubeconfig", type=Path, metavar="FILE", help=f"kubeconfig file {default}")
    add("--context", default="", metavar="NAME", help="context of the kubeconfig (default: the current one)")


def own_namespace(service_account: Path = SERVICE_ACCOUNT) -> str:
    """Return the namespace of the pod's service account; raise UsageError without one."""
    path = service_account / "namespace"
    try:
        return read_file(path, 1024, follow=True).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--namespace is missing, and {quote_value(path)} cannot be read; give the namespace of the release"
        ) from error


def import_client() -> tuple[Any, Any]:
    """Return the modules `kubernetes.aio.client` and `kubernetes.aio.config`; raise KubeError if they are missing."""
    try:
        from kubernetes.aio import client, config
    except ImportError as error:
        raise KubeError(
            "the Kubernetes client cannot be imported: the package 'kubernetes' is missing; "
            "install Pilotfish with the extra 'cluster': pip install 'pilotfish[cluster]'"
        ) from error
    # The client logs what a credential program writes to its standard error, which could be a credential.
    logging.getLogger(config.kube_config.__name__).disabled = True
    return client, config


async def _load_service_account(configuration: Any, folder: Path) -> None:
    _, config = import_client()
    try:
        config.incluster_config.InClusterConfigLoader(
            token_filename=str(folder / "token"), cert_filename=str(folder / "ca.crt")
        ).load_and_set(configuration)
    except (config.ConfigException, OSError) as error:
        raise KubeError(
            f"the service account cannot be read: {quote_value(folder)}; {error}; mount its token"
        ) from error


async def _load_kubeconfig(configuration: Any, file: str, context: str) -> None:
    _, config = import_client()
    _check_presence(file)
    try:
        async with asyncio.timeout(LOAD_TIMEOUT):
            found = await config.load_kube_config(
                config_file=file, context=context or None, client_configuration=configuration, persist_config=False
            )
    except TimeoutError as error:
        raise KubeError(
            f"the kubeconfig cannot be loaded: {quote_value(file)}; its credential program did not end within "
            f"{LOAD_TIMEOUT:g} s; run it by hand"
        ) from error
    except Exception as error:  # the loader raises whatever a malformed file causes; other texts may quote the file
        why = str(error) if isinstance(error, config.ConfigException) else type(error).__name__
        where = f"{quote_value(file)}, context {quote_value(context)}" if context else quote_value(file)
        raise KubeError(
            f"the kubeconfig cannot be loaded: {where}; {why}; check it with kubectl config view"
        ) from error
    if _runs_program(found) and not configuration.api_key and not configuration.cert_file:
        raise KubeError(
            f"the kubeconfig has no credentials: {quote_value(file)}; its credential program failed; run it by hand"
        )


def _check_presence(file: str) -> None:
    """Raise KubeError if no path in `file`, which may list several as KUBECONFIG does, exists."""
    if not any(Path(path).exists() for path in file.split(os.pathsep)):
        raise KubeError(
            f"the kubeconfig cannot be loaded: there is no file {quote_value(Path(file))}; give one with "
            "--kubeconfig, or set KUBECONFIG"
        )


def _runs_program(found: Any) -> bool:
    """Return whether the user of the kubeconfig is authenticated by an exec plugin."""
    user = getattr(found, "_user", None)
    return user is not None and "exec" in user
