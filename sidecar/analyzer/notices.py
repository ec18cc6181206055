"""Notices: the warnings in the report, at most one per topic. A component or the worker sets and removes them."""

from __future__ import annotations


class Notices:
    """Texts by topic, ordered by when they were set."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def set(self, topic: str, text: str) -> None:
        """Set the text of `topic`; an empty text removes the notice."""
        self._texts.pop(topic, None)
        if text:
            self._texts[topic] = text

    def __getitem__(self, topic: str) -> str:
        """Return the text of `topic`, empty without a notice."""
        return self._texts.get(topic, "")

    def by_topic(self) -> dict[str, str]:
        """Return a copy of the texts by topic."""
        return dict(self._texts)

    def texts(self) -> tuple[str, ...]:
        """Return all texts."""
        return tuple(self._texts.values())
