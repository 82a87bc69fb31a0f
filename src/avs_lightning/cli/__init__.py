"""The `avs` command."""

import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module

from avs_lightning import peers
from avs_lightning.command import VARIABLE, typed
from avs_lightning.errors import UserError, near_matches

COMMANDS = {
    "train": "train a network, then test its best checkpoint (avs train data=ms3 encoder=pvt_v2_b5)",
    "eval": "test a checkpoint (avs eval checkpoint=FILE)",
    "options": "list what can be set, and what it means (avs options encoder, avs options encoder.drop_path)",
    "data": "make the synthetic AVSBench, check or count a data set (avs data make|check|stats)",
    "study": "run a study with a name, and set its table beside the paper's (avs study run table_a1 data=synthetic)",
    "runs": "list runs, sweeps and studies: how far each is, its scores, its folder",
    "report": "write the HTML report of a study, a sweep or a run (avs report NAME)",
    "demo": "train without fusion, with the paper's and with scope=frame on synthetic clips, and compare",
    "bench": "measure what the exact forms save, and the data loader",
}
COMPUTING = (["train"], ["eval"], ["study", "run"], ["demo"], ["bench"])
"""The commands that load torch."""
INFORMATION = ("-h", "--help", "--hydra-help", "--cfg", "-c", "--info", "-i", "--shell-completion", "-sc")
"""Options that print something and run nothing."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `avs` and return its exit code: 0, 1 for what the user can mend or Ctrl-C, 2 for a wrong command line."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else 2
    name = arguments[0]
    if name in ("-V", "--version") or (name in COMMANDS and "--version" in arguments[1:]):
        from avs_lightning import __version__

        print(f"avs-lightning {__version__}")
        return 0
    if name in ("--completion", "--complete"):
        return complete(name, arguments[1:])
    if name not in COMMANDS:
        return fail(f"there is no command {name!r}; there are {', '.join(COMMANDS)}{near_matches(name, COMMANDS)}", 2)
    peers.join()
    begin(arguments)
    quiet_libraries()
    command: Callable[[list[str]], int] = import_module(f"avs_lightning.cli.{name}").main
    try:
        with typed(["avs", *arguments]):
            return command(arguments[1:])
    except UserError as error:
        return fail(str(error))
    except KeyboardInterrupt as stop:
        return fail(str(stop) or "interrupted")
    except BrokenPipeError:  # the reader has gone (avs ... | head)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception:
        if peers.fails_first():
            raise
        return 1


def begin(arguments: Sequence[str]) -> None:
    """Say on a terminal that a command has begun: torch and Lightning take seconds to load, more on a shared disk.

    The processes that a command starts, ranks and cells, say nothing.
    """
    command = next((words for words in COMPUTING if arguments[: len(words)] == words), None)
    informs = any(word.partition("=")[0] in INFORMATION for word in arguments)
    if not command or informs or VARIABLE in os.environ or not sys.stderr.isatty():
        return
    from avs_lightning.reporting.console import is_first_process

    if is_first_process():
        print(f"avs {' '.join(command)}: loading ...", file=sys.stderr, flush=True)


def complete(name: str, words: list[str]) -> int:
    """Print the script that a shell evaluates, or what it asks for while a command is typed."""
    from avs_lightning.cli.completion import candidates, script

    try:
        for line in [script(" ".join(words))] if name == "--completion" else candidates(words, COMMANDS):
            print(line)
    except UserError as error:
        return fail(str(error), 2)
    return 0


def usage() -> str:
    """Return what `avs --help` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {meaning}" for name, meaning in COMMANDS.items()]
    head = "avs: audio-visual segmentation, train, evaluate, compare\n\nusage: avs COMMAND [...]\n\n"
    foot = (
        "Each command has its own --help. AVS_FULL_ERROR=1 shows stack traces.\n"
        "avs --completion bash|zsh|fish prints what completes commands, options and settings."
    )
    return head + "\n".join(lines) + f"\n\n{foot}"


def fail(message: str, code: int = 1) -> int:
    """Print one message unless another process of the run has; with AVS_FULL_ERROR=1 the stack trace as well."""
    if os.environ.get("AVS_FULL_ERROR") == "1":
        logging.getLogger(__name__).exception("the stack trace")
    if peers.fails_first():
        peers.say_error(message)
    return code


def quiet_libraries() -> None:
    """Send the libraries' chatter to the run's log; warnings and worse also to the terminal."""
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    # Scores are the same in every process: `SegmentationScores` brings the counts together.
    warnings.filterwarnings("ignore", message="It is recommended to use `self.log")
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    terminal.addFilter(lambda record: record.name not in ("py.warnings", peers.__name__))
    logging.basicConfig(level=logging.INFO, handlers=[terminal])
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # timm's downloads: our own message says what failed
    for name in ("httpx", "urllib3", "PIL", "matplotlib", "timm"):
        logging.getLogger(name).setLevel(logging.WARNING)
