"""What mkdocs builds besides the written pages: the options from the configuration, formulas as MathML."""

import html
import re
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from avs_lightning.cli.options import Option, meanings, read_options
from avs_lightning.cli.settings import SETTINGS

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
NUMBER = re.compile(r"\\tag\{(\d+)\}")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page of all options, and the recipes for what one adds oneself."""
    files.append(File.generated(config, "options.md", content="\n".join(options_page(read_options()))))
    recipes = Path(config.config_file_path).with_name("CONTRIBUTING.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "extending.md", content=within_docs(recipes)))
    return files


def within_docs(text: str) -> str:
    """Let the links of a page beside docs/ lead to other pages, and write those that lead elsewhere as code."""
    return re.sub(r"\[([^]]+)\]\((?!docs/)[^)]+\)", r"`\1`", text).replace("](docs/", "](")


def options_page(options: list[Option]) -> Iterator[str]:
    """Yield the lines of the page: the commands' own settings, then each group with its options and settings."""
    meant = meanings(options)
    yield "# Options\n"
    yield "Of `avs train` and `avs eval`, read from the configuration files when this page was built; in a terminal"
    yield "`avs options` says the same. A group is chosen by `GROUP=OPTION`, a setting by `SETTING=VALUE`.\n"
    for group, members in groupby(options, attrgetter("group")):
        named = list(members)
        if group:
            yield f"## {group}\n"
            yield "| option | |\n|---|---|"
            yield from (f"| `{group}={option.name}` | {cell(option.meaning)} |" for option in named)
            yield ""
            yield from settings_table(named, meant)
        else:
            for command in named:
                yield f"## avs {command.name}\n"
                yield from settings_table([command], meant)


def settings_table(options: list[Option], meant: dict[str, str]) -> Iterator[str]:
    """Yield a table of settings: default, by option where these differ, what is taken, and meaning."""
    here = meanings(options)
    defaults: dict[str, dict[str, list[str]]] = {}
    for option in options:
        for setting in option.settings:
            defaults.setdefault(setting.key, {}).setdefault(setting.default, []).append(option.name)
    if not defaults:
        return
    yield "| setting | default | meaning |\n|---|---|---|"
    for key, by_default in defaults.items():
        single = len(by_default) == 1
        shown = [code(default) + ("" if single else f" ({', '.join(names)})") for default, names in by_default.items()]
        takes = f"<br>*{cell(SETTINGS[key].words)}*" if key in SETTINGS else ""
        yield f"| `{key}` | {'<br>'.join(shown)} | {cell(here[key] or meant[key])}{takes} |"
    yield ""


def cell(text: str) -> str:
    """Escape what Markdown would take for its own."""
    return re.sub(r"[\\`*_\[\]{}<>|$]", lambda mark: f"&#{ord(mark[0])};", text)


def code(text: str) -> str:
    """Return a value as code; what is empty stays so."""
    return f"`{text}`" if text else ""


def on_page_content(content: str, **_: object) -> str:
    """Write formulas as MathML, which a browser draws without a script; `\\tag{n}` stands at the right."""
    return FORMULA.sub(mathml, content)


def mathml(formula: re.Match[str]) -> str:
    """Return a formula of the text or one of a line of its own."""
    text = html.unescape(formula[2]).strip()
    if formula[1] == "span":
        return convert(text)
    number = NUMBER.search(text)
    drawn = convert(NUMBER.sub("", text), display="block")
    label = f'<span class="number" id="eq-{number[1]}">({number[1]})</span>' if number else ""
    return f'<div class="formula"><div class="drawn">{drawn}</div>{label}</div>'
