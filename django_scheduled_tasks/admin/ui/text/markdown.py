"""Notes in Markdown, such as runbooks, as HTML that is safe to show."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from django.utils.html import format_html, urlize
from django.utils.safestring import SafeString

MarkdownIt: Any
try:
    MarkdownIt = import_module("markdown_it").MarkdownIt
except ImportError:  # the extra "markdown" is not installed
    MarkdownIt = None


def render_note(text: str) -> SafeString:
    """Return a note as HTML: CommonMark if ``markdown-it-py`` is installed, else the text with its links.

    HTML in it is shown as text, links lead to web pages and mail only, and nothing is loaded from elsewhere: what would
    be an image is a link.
    """
    if MarkdownIt is None:
        links = SafeString(urlize(text, nofollow=True, autoescape=True))  # nosec  (it escapes)
        return format_html('<div class="dst-note-text">{}</div>', links)
    return format_html('<div class="dst-markdown">{}</div>', SafeString(_reader().render(text)))  # nosec  (it escapes)


@cache
def _reader() -> Any:
    reader = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": True})
    reader.enable("linkify").disable("image")
    reader.validateLink = _is_allowed
    reader.add_render_rule("link_open", _link)
    reader.core.ruler.push("headings below that of the page", _lower_headings)
    return reader


def _is_allowed(url: str) -> bool:
    return url.strip().lower().startswith(("https://", "http://", "mailto:"))


def _lower_headings(state: Any) -> None:
    for token in state.tokens:
        if token.type.startswith("heading_"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"


def _link(self: Any, tokens: Any, index: int, options: Any, _env: Any) -> str:
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    return str(self.renderToken(tokens, index, options, _env))
