"""Tables of the documentation in the manual pages.

`python3 tests/docs/man_pages.py` writes them anew, between `.\\" table PAGE NUMBER` and `.\\" end`.
"""

import re
import textwrap

from sources import ROOT

PAGES = sorted((ROOT / "man").glob("*.[1-8]"))
BLOCK = re.compile(r'(?<=^\.\\" table )(\S+) (\d+)\n(.*?)(?=^\.\\" end$)', re.MULTILINE | re.DOTALL)


def tables(markdown: str) -> list[list[list[str]]]:
    """The cells of each table; its head first."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE):
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
        return f"{match[1]} {match[2]}\n" + mdoc(tables((ROOT / match[1]).read_text())[int(match[2]) - 1])
    return BLOCK.sub(block, page)


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(written(path.read_text()))
