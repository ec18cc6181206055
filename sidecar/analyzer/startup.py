"""Steps of the start: check the command line, load the checkpoint, put the first profile into force."""

from __future__ import annotations

import secrets
import time

from ..errors import UsageError, quote_value
from ..system.addresses import parse_address
from ..system.tokens import read_token
from . import checkpoint
from .errors import ProfileRefusedError
from .options import Options
from .pipeline import Pipeline, State
from .profile_store import ProfileStore


def check_options(options: Options) -> None:
    """Make the folders; raise UsageError for folders, addresses and files that cannot be used."""
    parse_address(options.admin, what="--admin")
    if options.token_file is not None:
        read_token(options.token_file)
    for folder in (options.shared, options.state_folder):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot use the folder {quote_value(folder)}: {error.strerror}") from error


def load_checkpoint(options: Options) -> tuple[State | None, str]:
    """Return the checkpoint's state; None, and why, when it is damaged."""
    try:
        return checkpoint.load(options.state_folder / checkpoint.CHECKPOINT_FILE), ""
    except checkpoint.CheckpointError as error:
        return None, f"evidence starts afresh: {error}"


def load_first_profile(pipeline: Pipeline, profile_store: ProfileStore) -> str:
    """Put the stored profile, else the document's own, into force; without a usable one the pipeline stays idle.

    Return a warning about a stored profile that cannot be used, which gives way to the document's own.
    """
    if pipeline.settings.problem:
        return ""
    note = ""
    try:
        if (kept := profile_store.load_stored()) is not None:
            pipeline.set_profile(kept, resumed=True)
            return ""
    except ProfileRefusedError as error:
        note = f"{error}; {profile_store.quarantine()}, put it anew (PUT /profile) to have it back"
    try:
        if (own := profile_store.load_changed()) is not None:
            pipeline.set_profile(own, resumed=True)
            profile_store.confirm()
    except ProfileRefusedError as error:
        pipeline.stay_idle(str(error))
    return note


def resume_learning(pipeline: Pipeline) -> None:
    """Learn a first profile if the document asks for one and none is in force."""
    if not pipeline.idle_reason:
        pipeline.learning.follow_document(
            pipeline.settings.learn,
            profiled=pipeline.active.monitor is not None,
            fresh_id=secrets.token_hex(8),
            now=time.time(),
        )
