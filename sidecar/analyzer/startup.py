"""Steps of the start that `app.build` calls: check the options, load the checkpoint, set the first profile.

Only options end the process (UsageError). A bad checkpoint or profile becomes a warning or a reason to be idle, so that
health and metrics still answer.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from ..errors import UsageError, quote_value
from ..system.addresses import parse_listen_address
from ..system.files import set_aside
from ..system.ownership import require_own
from . import checkpoint
from .errors import describe
from .exchange_ledger import ExchangeLedger
from .options import Options
from .pipeline import Pipeline, State
from .profile_store import ProfileStore
from .settings import AnalyzerSettings
from .sync.followed import stored_identity
from .sync.unacknowledged import UnacknowledgedTicks


def follow_document(options: Options) -> Options:
    """Return `options` with the UID of the ModelMonitor in the stored document, for as long as this process runs."""
    if options.control is None or options.document_path is None:
        return options
    followed = replace(options.control, monitor_uid=stored_identity(options.document_path).uid)
    return replace(options, control=followed)


def check_options(options: Options) -> None:
    """Create the folders; raise UsageError for a folder or an address that cannot be used."""
    parse_listen_address(options.admin, what="--admin")
    for flag, folder in {"--shared": options.shared, "--state": options.state_folder}.items():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            require_own(folder, flag)
        except OSError as error:
            raise UsageError(
                f"cannot use the folder {quote_value(folder)}: {error.strerror}; give a writable folder"
            ) from error


def load_checkpoint(options: Options) -> tuple[State | None, str]:
    """Return the checkpoint's state and a warning; the state is None when there is none or it is damaged."""
    try:
        return checkpoint.load(options.state_folder / checkpoint.CHECKPOINT_FILE), ""
    except checkpoint.CheckpointError as error:
        return None, _without_checkpoint(options, error)


def resume_pipeline(
    settings: AnalyzerSettings, ledger: Callable[[], ExchangeLedger], options: Options
) -> tuple[Pipeline, str]:
    """Return the pipeline that resumes from the checkpoint, and a warning; a new one if the checkpoint does not fit."""
    saved, warning = load_checkpoint(options)
    try:
        return Pipeline(settings, ledger(), saved, _unacknowledged(options)), warning
    except Exception as error:  # a checkpoint must not end each start
        return Pipeline(settings, ledger(), None, _unacknowledged(options)), _without_checkpoint(options, error)


def _unacknowledged(options: Options) -> UnacknowledgedTicks | None:
    if options.control is None:
        return None
    return UnacknowledgedTicks(options.control.pod.uid, secrets.token_hex(8))


def _without_checkpoint(options: Options, error: Exception) -> str:
    aside = set_aside(options.state_folder / checkpoint.CHECKPOINT_FILE)
    return f"evidence starts from zero: {describe(error)}; {aside}"


def load_first_profile(pipeline: Pipeline, profile_store: ProfileStore) -> str:
    """Set the stored profile, the one stored before it, or the document's; stay idle when none can be used.

    Returns a warning about a stored profile that cannot be used. It was renamed, so the next start does not read it.
    """
    if pipeline.settings.problem:
        return ""
    note = ""
    more = True
    while more:
        try:
            if (stored := profile_store.load_stored()) is not None:
                pipeline.set_profile(stored, resumed=True)
                return note or profile_store.lost
            note = note or profile_store.lost
            break
        except Exception as error:  # a stored profile must not end each start
            note = f"{describe(error)}; {profile_store.quarantine()}; send it again with PUT /profile to restore it"
            more = profile_store.restore_previous()
    try:
        if (own := profile_store.load_changed()) is not None:
            pipeline.set_profile(own, resumed=True)
            profile_store.confirm()
    except Exception as error:
        pipeline.stay_idle(describe(error))
    return note


def resume_learning(pipeline: Pipeline) -> None:
    """Start to learn a first profile if the document asks for it and no profile is in force.

    In a pod, the controller decides when to learn; a learning under way continues.
    """
    if not pipeline.idle_reason and pipeline.sync is None:
        pipeline.learning.follow_document(
            pipeline.settings.learn,
            profiled=pipeline.active.monitor is not None,
            fresh_id=secrets.token_hex(8),
            now=time.time(),
        )
