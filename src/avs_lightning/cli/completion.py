"""What a shell completes after `avs`: commands, groups, options, settings. Quick: nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files

from avs_lightning.cli.groups import command_file, groups, groups_of
from avs_lightning.cli.settings import SETTINGS
from avs_lightning.errors import UserError

CONFIGURED = ("train", "eval")
ACTIONS = {"data": ("make", "check", "stats"), "study": ("list", "run", "status", "table")}
OPTIONS = ("--help", "--version", "--cfg", "--config-dir", "--multirun")
SCRIPTS = {
    "bash": r"""_avs() {
  local line="${COMP_LINE:0:COMP_POINT}" word words
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  word="${words[-1]}"
  local IFS=$'\n'
  COMPREPLY=($(avs --complete "${words[@]:1}" 2>/dev/null))
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=.] ]] && compopt -o nospace
  # readline's own word begins after the last =
  [[ $COMP_WORDBREAKS == *=* && $word == *=* ]] && COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*=}"}"}")
  return 0
}
complete -o default -F _avs avs""",
    "zsh": r"""#compdef avs
_avs() {
  local -a found
  found=(${(f)"$(avs --complete "${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)"})
  if (( $#found )); then
    compadd -Q -S '' -- ${(M)found:#*[=.]}
    compadd -Q -- ${found:#*[=.]}
  else
    compset -P 1 '*='
    _files
  fi
}
compdef _avs avs""",
    "fish": r"""function __avs_complete
  set -l word (commandline -ct)
  set -l found (avs --complete (commandline -opc)[2..] "$word" 2>/dev/null)
  if set -q found[1]
    printf '%s\n' $found
  else
    set -l key (string match -r '^[^=]*=' -- $word)
    string replace -r '^' "$key" -- (__fish_complete_path (string replace -r '^[^=]*=' '' -- $word))
  end
end
complete -c avs -f -a '(__avs_complete)'""",
}
USE = {
    "bash": 'eval "$(avs --completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(avs --completion zsh)" in ~/.zshrc, after compinit',
    "fish": "avs --completion fish | source in ~/.config/fish/config.fish",
}


def script(shell: str) -> str:
    """Return what a shell is to evaluate.

    Raises:
        UserError: another shell.
    """
    if shell not in SCRIPTS:
        lines = "; ".join(f"{name}: {use}" for name, use in USE.items())
        raise UserError(f"avs --completion {shell}: expected bash, zsh or fish ({lines})")
    return SCRIPTS[shell]


def candidates(words: Sequence[str], commands: Iterable[str]) -> list[str]:
    """Return what the last word of a command line can become.

    Args:
        words: after `avs`; the last one is being typed, and may be empty.
        commands: of `avs`.
    """
    *before, word = words or [""]
    if not before:
        found: Iterable[str] = (*commands, "--help", "--version", "--completion")
    elif before == ["--completion"]:
        found = SCRIPTS
    elif before[0] in CONFIGURED:
        found = OPTIONS if word.startswith("-") else _configured(before[0], word)
    elif len(before) == 1:
        found = (
            _studies() if before[0] == "report" else groups() if before[0] == "options" else ACTIONS.get(before[0], ())
        )
    else:
        found = _studies() if before[0] == "study" and len(before) == 2 else ()
    return [name for name in found if name.startswith(word)]


def _configured(command: str, word: str) -> Iterator[str]:
    """Yield `group=option`, `setting=value`, and up to the next dot what settings there are."""
    options, content = groups_of(command), command_file(command)
    key, equals, _ = word.partition("=")
    if equals:
        kind = SETTINGS.get(key)
        yield from (f"{key}={value}" for value in options.get(key, kind.choices if kind else ()))
        return
    yield from (f"{group}=" for group in options)
    nodes = {*options, *content, "label"} - {"recipe", "released", "experiment"}
    settings = [setting for setting in SETTINGS if setting.partition(".")[0] in nodes]
    steps = [(setting[: len(word)], *setting[len(word) :].partition(".")) for setting in settings]
    yield from sorted({start + step + (dot or "=") for start, step, dot, _ in steps})


def _studies() -> list[str]:
    entries = files("avs_lightning.experiments").iterdir()
    return sorted(entry.name for entry in entries if entry.is_dir() and (entry / "study.yaml").is_file())
