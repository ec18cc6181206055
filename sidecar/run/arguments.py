"""The flags of the analyzer process, and what the supervisor does with flags: check them and pass them on.

The supervisor imports this module, so it uses the standard library only.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import UsageError, quote_value
from ..log import add_log_arguments
from ..system.addresses import ADMIN_ADDRESS, parse_address, parse_listen_address
from ..system.tokens import read_token

MEMORY_LIMIT = "512Mi"
LARGEST_LIMIT = 1 << 60  # bytes; more than any machine has, and less than RLIM_INFINITY
SOURCES = ("auto", "local", "node", "none", "rules")  # of resources/source.py, which the supervisor must not import
LARGEST_PID = 1 << 22
_OBJECT_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_HOST_NAME = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?", re.ASCII)
_GPU = re.compile(r"all|(?:GPU|MIG)-[\w./-]{1,120}", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,19})(Ki|Mi|Gi)?\Z")
_UNITS = {None: 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def add_analyzer_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the analyzer process, except `--shared`."""
    parser.add_argument("-f", "--file", type=Path, metavar="FILE", dest="document", help="the ModelMonitor document")
    parser.add_argument(
        "--admin",
        default=ADMIN_ADDRESS,
        metavar="HOST:PORT",
        help="address that serves metrics and the report; :PORT means all addresses (default %(default)s)",
    )
    parser.add_argument(
        "--admin-host", action="append", default=[], type=host_argument, metavar="NAME",
        help="a DNS name by which browsers and programs may call --admin; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="folder for evidence and the outbox (default: the --shared folder)"
    )
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="file with the bearer token for --admin")
    parser.add_argument(
        "--memory-limit", type=memory_size, default=MEMORY_LIMIT, metavar="SIZE",
        help="memory limit of the analyzer, such as 512Mi; 0 sets no limit (default %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--resources", choices=SOURCES, default=SOURCES[0],
        help="source of the figures on CPU, memory and GPU; auto: local if the process of the model server is visible",
    )  # fmt: skip
    parser.add_argument(
        "--upstream-pid", type=process_id, metavar="PID", help="process id of the model server, for --resources local"
    )
    parser.add_argument(
        "--model-address", action="append", default=[], type=model_address, metavar="HOST:PORT",
        help="address of the model server, to find its process; may be repeated (default: those of --upstream)",
    )  # fmt: skip
    parser.add_argument(
        "--model-gpu", action="append", default=[], type=gpu_argument, metavar="UUID",
        help="a GPU or MIG instance that only the model server uses, or all; may be repeated; for --resources local",
    )  # fmt: skip
    add_log_arguments(parser)


def add_control_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags with which the analyzer of a pod follows a controller."""
    parser.add_argument(
        "--control", type=server_url, metavar="URL",
        help="https address of the controller, which gets the counts and sends document and profile; without --file",
    )  # fmt: skip
    parser.add_argument(
        "--control-ca", type=Path, metavar="FILE",
        help="PEM file with the certificates of the controller's authority (default: those of the system)",
    )  # fmt: skip
    parser.add_argument(
        "--control-token",
        type=Path,
        metavar="FILE",
        help="file with the pod's token for --control; read again for each request",
    )
    parser.add_argument(
        "--monitor", type=object_name, metavar="NAME",
        help="name of the ModelMonitor, for --control (default: the one that targets this pod)",
    )  # fmt: skip
    for part in ("namespace", "name", "uid"):
        parser.add_argument(
            f"--pod-{part}", type=object_name, metavar=part.upper(), help=f"{part} of this pod, for --control"
        )
    parser.add_argument(
        "--node", type=server_url, metavar="URL",
        help="https address of `pilotfish node` on this node, which has the figures of this pod, for --resources",
    )  # fmt: skip
    parser.add_argument(
        "--node-ca", type=Path, metavar="FILE",
        help="PEM file with the certificates of its authority (default: those of the system)",
    )  # fmt: skip
    parser.add_argument(
        "--node-token",
        type=Path,
        metavar="FILE",
        help="file with the pod's token for --node, with the audience pilotfish-node; read again for each request",
    )


def server_url(text: str) -> str:
    """Return `text` without a slash at its end if it is https://HOST or https://HOST:PORT; raise ArgumentTypeError."""
    address = text.removesuffix("/")
    scheme, _, host = address.partition("://")
    if scheme != "https" or not _is_authority(host):
        raise argparse.ArgumentTypeError(
            f"{quote_value(text)} is not the https address of a server; write one such as https://pilotfish-control:8443"
        )
    return address


def _is_authority(host: str) -> bool:
    """Return whether `host` is HOST or HOST:PORT."""
    try:
        found = urlsplit(f"//{host}")
        return bool(found.hostname) and found.netloc == host and "@" not in host and found.port != 0
    except ValueError:  # such as a port that is not a number
        return False


def object_name(text: str) -> str:
    """Return `text` if it can be the name or UID of an object of Kubernetes; raise ArgumentTypeError."""
    if not _OBJECT_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{quote_value(text)} is not a name of Kubernetes; write one such as fraud-1")
    return text


def memory_size(text: str) -> int:
    """Return the size `text` in bytes: a whole number, optionally with Ki, Mi or Gi."""
    match = _SIZE.match(text)
    size = int(match[1]) * _UNITS[match[2]] if match is not None else -1
    if not 0 <= size <= LARGEST_LIMIT:
        raise argparse.ArgumentTypeError(f"{quote_value(text)} is not a size; write 0, 536870912 or 512Mi")
    return size


def process_id(text: str) -> int:
    """Return the process id `text`; raise ArgumentTypeError."""
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= LARGEST_PID):
        raise argparse.ArgumentTypeError(f"{quote_value(text)} is not a process id; write one such as 4711")
    return int(text)


def model_address(text: str) -> str:
    """Return the address of a model server as it is; raise ArgumentTypeError."""
    try:
        parse_address(text, what="--model-address", any_host="this machine", unix=True)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def gpu_argument(text: str) -> str:
    """Return `text` if it is the UUID of a GPU or a MIG instance, or `all`; raise ArgumentTypeError."""
    if not _GPU.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{quote_value(text)} is not a GPU; write a UUID as `nvidia-smi -L` lists it, such as GPU-5e2c..., or all"
        )
    return text


def host_argument(text: str) -> str:
    """Return `text` if it is a host name without a port; raise ArgumentTypeError."""
    if not _HOST_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{quote_value(text)} is not a host name; write one such as drift.example")
    return text


def check_analyzer_arguments(args: argparse.Namespace) -> None:
    """Raise UsageError for an address, token file or folder that the analyzer process could not use."""
    parse_listen_address(args.admin, what="--admin")
    if args.resources == "node" and getattr(args, "node", None) is None:
        raise UsageError("--resources is node, but there is no --node; give the address of `pilotfish node` in a pod")
    if args.token_file is not None:
        read_token(args.token_file)
    if args.state is not None:
        make_folder(args.state, "--state")


def check_control_arguments(args: argparse.Namespace) -> None:
    """Raise UsageError for options of the controller that do not fit together, or files that cannot be used."""
    needed = {"--control-token": args.control_token}
    needed |= {f"--pod-{part}": getattr(args, f"pod_{part}") for part in ("namespace", "name", "uid")}
    if args.control is None:
        given = [flag for flag in ("--control-token", "--control-ca") if getattr(args, flag[2:].replace("-", "_"))]
        if given:
            raise UsageError(f"{given[0]} has no effect without --control; give the controller's address, too")
        return
    missing = [flag for flag, value in needed.items() if value is None]
    if missing:
        raise UsageError(f"--control needs {', '.join(missing)} as well; give them, or their environment variables")
    if args.document is not None:
        raise UsageError("--file and --control exclude each other: the controller sends the document; leave one out")
    read_token(args.control_token)
    if args.control_ca is not None and not args.control_ca.is_file():
        raise UsageError(f"--control-ca {quote_value(args.control_ca)} is not a file; give a PEM file")


def check_node_arguments(args: argparse.Namespace) -> None:
    """Raise UsageError for options of the node's Pilotfish that do not fit together, or files that cannot be used."""
    if args.node is None:
        given = [flag for flag in ("--node-token", "--node-ca") if getattr(args, flag[2:].replace("-", "_"))]
        if given:
            raise UsageError(f"{given[0]} has no effect without --node; give the address of `pilotfish node`, too")
        return
    if args.node_token is None:
        raise UsageError("--node needs --node-token as well: a file with a token of the audience pilotfish-node")
    read_token(args.node_token)
    if args.node_ca is not None and not args.node_ca.is_file():
        raise UsageError(f"--node-ca {quote_value(args.node_ca)} is not a file; give a PEM file")


def render_flags(add_arguments: Callable[[argparse.ArgumentParser], None], args: argparse.Namespace) -> list[str]:
    """Return the command line with which the options that `add_arguments` declares get the values in `args`."""
    parser = argparse.ArgumentParser(add_help=False)
    add_arguments(parser)
    flags = []
    for action in parser._actions:  # noqa: SLF001  # argparse has no public list of the options
        flag, value = action.option_strings[-1], getattr(args, action.dest)
        values = value if isinstance(value, list) else [] if value is None else [value]
        flags += [f"{flag}={one}" for one in values]
    return flags


def make_folder(path: Path, flag: str) -> Path:
    """Return the folder `path`, created if it is missing; raise UsageError with the name of `flag`."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{flag} {quote_value(path)} cannot be used: {error.strerror}; give a writable folder"
        ) from error
    return path
