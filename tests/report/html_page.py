"""A parsed HTML page that tests can ask questions of."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link", "input", "hr"}


@dataclass
class Element:
    tag: str
    attrs: dict[str, str]
    parent: "Element | None"
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return re.sub(r"[ \n]+", " ", "".join(self.texts)).strip()

    def inside(self, tag: str) -> bool:
        return self.parent is not None and (self.parent.tag == tag or self.parent.inside(tag))


class Page(HTMLParser):
    """Every element in order, its text with that of its children; a tag left open or closed twice is an error."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        assert not self._open, f"left open: {[element.tag for element in self._open]}"

    def handle_starttag(self, tag, attrs):
        element = Element(tag, {name: value or "" for name, value in attrs}, self._open[-1] if self._open else None)
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        assert self._open.pop().tag == tag, f"</{tag}> closes nothing"
        if tag in {"td", "th", "dt", "dd"}:
            self.handle_data(" ")

    def handle_data(self, data):
        for element in self._open:
            element.texts.append(data)

    def all(self, tag=None, **attrs):
        wanted = {name.rstrip("_"): value for name, value in attrs.items()}
        return [
            element
            for element in self.elements
            if tag in {None, element.tag}
            and all(value in element.attrs.get(name, "").split() or value == element.attrs.get(name)
                    for name, value in wanted.items())
        ]  # fmt: skip

    def one(self, tag=None, **attrs):
        (element,) = self.all(tag, **attrs)
        return element
