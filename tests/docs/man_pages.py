"""Tables of the documentation in the manual pages.

`python3 tests/docs/man_pages.py` writes them anew, between `.\\" table PAGE HEADING NUMBER` and `.\\" end`: the one of that number
below the heading.
"""

import re
import textwrap

from sources import ROOT

PAGES = sorted((ROOT / "man").glob("*.[1-8]"))
BLOCK = re.compile(r'(?<=^\.\\" table )(\S+) ([^\n]+) (\d+)\n(.*?)(?=^\.\\" end$)', re.MULTILINE | re.DOTALL)


def tables(markdown: str, heading: str) -> list[list[list[str]]]:
    """The cells of each table below a heading; its head first."""
    sections = re.split(r"^#+ (.*)\n", markdown, flags=re.MULTILINE)
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", sections[sections.index(heading) + 1], re.MULTILINE):
        lines = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block.splitlines()]
        found.append([lines[0], *lines[2:]])
    return found


def roff(markdown: str) -> str:
    """Text in a line of mdoc."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", markdown).replace("\\", "\\e")
    text = re.sub(r"`([^`]*)`", lambda code: rf"\fB{code[1].replace('-', chr(92) + '-')}\fP", text)
    return "\\&" + text if text.startswith((".", "'")) else text


def sentence(text: str) -> str:
    return text if not text or text.endswith((".", ":")) else text + "."


def mdoc(table: list[list[str]]) -> str:
    """A list: the first column is its items, the last a text, and those between go before it."""
    head, *rows = table
    out = [".Bl -tag -width Ds"]
    for first, *others in rows:
        out.append(f".It {roff(first)}")
        facts = []
        for name, cell in zip(head[1:-1], others):
            if cell:
                facts.append(f"default {cell}" if name == "default" else f"from {cell}" if name == "source" else cell)
        for text in (sentence("; ".join(facts)), sentence(others[-1])):
            for one in re.split(r"(?<=\.) ", text):  # a sentence begins a line in mdoc
                out += textwrap.wrap(roff(one), 79, break_on_hyphens=False, break_long_words=False)
    return "\n".join([*out, ".El", ""])


def written(page: str) -> str:
    def block(match: re.Match) -> str:
        page, heading, number = match.groups()[:3]
        return f"{page} {heading} {number}\n" + mdoc(tables((ROOT / page).read_text(), heading)[int(number) - 1])
    return BLOCK.sub(block, page)


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(written(path.read_text()))
