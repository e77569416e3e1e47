"""What a browser would make of a page, for tests without one."""

from __future__ import annotations

from html.parser import HTMLParser


class Elements(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def links(self) -> list[str]:
        """Where its links lead."""
        return [a["href"] or "" for tag, a in self.tags if tag == "a" and "href" in a]

    def text(self) -> str:
        """What is shown of it, but for styles and scripts."""
        told = (text for tag, text in self.texts if tag not in ("style", "script"))
        return " ".join(" ".join(told).split())

    def handle_data(self, data: str) -> None:
        self.texts.append((self.tags[-1][0] if self.tags else "", data))
