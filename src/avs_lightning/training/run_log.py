"""run.log: what a run has said, in order."""

import logging
import re

TRIFLES = re.compile(
    "[GTH]PU available|litlogger|`weights_only` was not set|does not have many workers|smaller than the logging"
    " interval|is deprecated|Implicitly cleaning up"
)
"""What libraries say of themselves, and what asks nothing of who runs a training."""
PLACE = re.compile(r"^\S+:\d+: ")


class RunLog(logging.FileHandler):
    """A run's log. It stays open after the run, for what is said about its end, until the process opens the next one.

    What libraries say of themselves is left out, and so is a warning that stands there already.
    """

    def attach(self) -> None:
        """Take the place of an earlier run's log."""
        self.said: set[str] = set()
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger("avs_lightning").setLevel(logging.INFO)  # whatever else has set up logging in this process
        root = logging.getLogger()
        for earlier in [handler for handler in root.handlers if isinstance(handler, RunLog)]:
            root.removeHandler(earlier)
            earlier.close()
        root.addHandler(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is worth keeping."""
        text = PLACE.sub("", record.getMessage())  # the same warning from another line is no news
        if TRIFLES.search(text) or (record.name == "py.warnings" and text in self.said):
            return False
        self.said.add(text)
        return True

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing: what keeps the log from being written (a full disk) is reported by the run itself."""
