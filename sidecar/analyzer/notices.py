"""The warnings in the report, one for each topic."""

from __future__ import annotations


class Notices:
    """Texts by topic; the newest stands last."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def set(self, topic: str, text: str) -> None:
        """Show `text` under `topic`, instead of the former one; an empty text removes it."""
        self._texts.pop(topic, None)
        if text:
            self._texts[topic] = text

    def __getitem__(self, topic: str) -> str:
        """Return the text under `topic`, empty when there is none."""
        return self._texts.get(topic, "")

    def by_topic(self) -> dict[str, str]:
        """Return a copy of the texts by topic."""
        return dict(self._texts)

    def texts(self) -> tuple[str, ...]:
        """Return all texts."""
        return tuple(self._texts.values())
