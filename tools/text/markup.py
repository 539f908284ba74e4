"""HTML pages, and the markup inside verses and dictionary entries, as text."""

import html
import html.parser
import re


def html_pages(matches):
    """A page is a document; its tags, scripts and navigation go."""
    for name, path in matches:
        page = PageText()
        page.feed(path.read_text("utf-8", errors="replace"))
        lines = (" ".join(line.split()) for line in "".join(page.parts).splitlines())
        yield name, "\n".join(line for line in lines if line)


class PageText(html.parser.HTMLParser):
    LEFT_OUT = {"head", "header", "footer", "nav", "aside", "script", "style", "noscript", "button"}
    LINES = {"p", "div", "br", "li", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "dt", "dd", "title"}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts = []
        self.depth = 0  # inside how many elements that are left out

    def handle_starttag(self, tag, attributes):
        self.depth += tag in self.LEFT_OUT
        if tag in self.LINES:
            self.parts.append("\n")

    def handle_endtag(self, tag):
        self.depth -= tag in self.LEFT_OUT and self.depth > 0
        if tag in self.LINES:
            self.parts.append("\n")

    def handle_data(self, data):
        if not self.depth:
            # A line end inside a paragraph is only a space.
            self.parts.append(data.replace("\n", " "))


def without_tags(text):
    text = re.sub(r"<note\b[^>]*>.*?</note>", "", text, flags=re.DOTALL)
    text = re.sub(r"<(title|milestone|lb|/p|/lg|/l|chapter)\b[^>]*>", "\n", text)
    text = html.unescape(re.sub(r"<[^>]*>", "", text)).replace("¶", "")
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)
