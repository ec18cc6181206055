"""Pilotfish in Python: profiles of data frames, and replays of rows against them.

    import pilotfish

    profile = pilotfish.Profile.from_pandas(frame, time="ts", predictions=["score"])
    profile.save("profile.json")
    profile.replay(next_week).alarms

setup.py installs this file as `pilotfish/__init__.py`. A name is imported when it is first used: `import pilotfish`
loads no other module, because every process of the sidecar imports it, also the proxy.
"""

TYPE_CHECKING = False  # the same constant of the module typing is not worth its import
if TYPE_CHECKING:
    from pilotfish.sidecar.errors import PilotfishError
    from pilotfish.sidecar.notebook.profile import NotebookProfile as Profile
    from pilotfish.sidecar.notebook.result import ReplayResult

__all__ = ["PilotfishError", "Profile", "ReplayResult"]

_PLACES = {
    "PilotfishError": ("pilotfish.sidecar.errors", "PilotfishError"),
    "Profile": ("pilotfish.sidecar.notebook.profile", "NotebookProfile"),
    "ReplayResult": ("pilotfish.sidecar.notebook.result", "ReplayResult"),
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("pilotfish")
    if name not in _PLACES:
        raise AttributeError(f"module 'pilotfish' has no attribute {name!r}; its names are {', '.join(__all__)}")
    from importlib import import_module

    module, attribute = _PLACES[name]
    found = getattr(import_module(module), attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
