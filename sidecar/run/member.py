"""The member: the process beside the proxy that may fail. Started by the supervisor, never by a person.

python -m pilotfish.sidecar.run.member run|analyze --shared DIR --admin HOST:PORT ...
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pilotfish.sidecar.analyzer.options import Options
from pilotfish.sidecar.errors import PilotfishError
from pilotfish.sidecar.run.arguments import add_member_arguments

USAGE_STATUS = 2


def main(argv: Sequence[str]) -> int:
    """Compose the member for the role that `argv` begins with, and run it; return its exit status."""
    parser = argparse.ArgumentParser(prog="pilotfish member", allow_abbrev=False)
    parser.add_argument("role", choices=("analyze", "run"))
    parser.add_argument("--shared", required=True, type=Path)
    add_member_arguments(parser)
    args = parser.parse_args(argv)
    try:
        return _run(args.role, options_of(args))
    except PilotfishError as error:
        print(f"pilotfish: {error}", file=sys.stderr)
        return USAGE_STATUS


def options_of(args: argparse.Namespace) -> Options:
    """Return the analyzer's options."""
    return Options(
        shared=args.shared,
        admin=args.admin,
        document=args.document,
        state=args.state,
        token_file=args.token_file,
        memory_limit=args.memory_limit,
    )


def _run(role: str, options: Options) -> int:
    from pilotfish.sidecar.analyzer.app import build

    return build(options).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
