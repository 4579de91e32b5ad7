"""A run that is killed from inside after so many finished prompts: `python killed_run.py PROMPTS ARGUMENTS...`."""

import os
import signal
import sys

from curriculum_verl.commands.generate import main
from curriculum_verl.generation.journal import Entry, Journal

left = int(sys.argv[1])
write = Journal.write


def write_and_die(journal: Journal, entry: Entry) -> None:
    """The last entry is torn, as by a kill in the middle of it."""
    global left
    left -= 1
    if left >= 0:
        write(journal, entry)
        return
    os.write(journal._file, b'{"position":' + str(entry.position).encode() + b',"line":{"id')
    os.kill(os.getpid(), signal.SIGKILL)


Journal.write = write_and_die  # type: ignore[method-assign]
sys.exit(main(sys.argv[2:]))
