"""Steps of the start that `app.build` calls: check the options, load the checkpoint, set the first profile.

Only options end the process (UsageError). A bad checkpoint or profile becomes a warning or a reason to be idle, so that
health and metrics still answer.
"""

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
    """Create the folders; raise UsageError for a folder, address or token file that cannot be used."""
    parse_address(options.admin, what="--admin")
    if options.token_file is not None:
        read_token(options.token_file)
    for folder in (options.shared, options.state_folder):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"cannot use the folder {quote_value(folder)}: {error.strerror}; give a writable folder"
            ) from error


def load_checkpoint(options: Options) -> tuple[State | None, str]:
    """Return the checkpoint's state and a warning; the state is None when there is none or it is damaged."""
    try:
        return checkpoint.load(options.state_folder / checkpoint.CHECKPOINT_FILE), ""
    except checkpoint.CheckpointError as error:
        return None, f"evidence starts from zero: {error}"


def load_first_profile(pipeline: Pipeline, profile_store: ProfileStore) -> str:
    """Set the stored profile or, without one, the document's; stay idle when neither can be used.

    Returns a warning about a stored profile that cannot be used; the document's profile then replaces it.
    """
    if pipeline.settings.problem:
        return ""
    note = ""
    try:
        if (stored := profile_store.load_stored()) is not None:
            pipeline.set_profile(stored, resumed=True)
            return ""
        note = profile_store.lost
    except ProfileRefusedError as error:
        note = f"{error}; {profile_store.quarantine()}; send it again with PUT /profile to restore it"
    try:
        if (own := profile_store.load_changed()) is not None:
            pipeline.set_profile(own, resumed=True)
            profile_store.confirm()
    except ProfileRefusedError as error:
        pipeline.stay_idle(str(error))
    return note


def resume_learning(pipeline: Pipeline) -> None:
    """Start to learn a first profile if the document asks for it and no profile is in force."""
    if not pipeline.idle_reason:
        pipeline.learning.follow_document(
            pipeline.settings.learn,
            profiled=pipeline.active.monitor is not None,
            fresh_id=secrets.token_hex(8),
            now=time.time(),
        )
