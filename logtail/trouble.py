"""What to do with an open file that cannot be read (ESTALE, EIO, damaged): open it anew where it was, or give it up."""

from logtail import reader
from logtail.chunk import Chunk
from logtail.decoded import Undecodable
from logtail.follow import Fact, State
from logtail.identity import Verdict, recognise
from logtail.life import Life
from logtail.names import find_name
from logtail.opened import Open
from logtail.roll import Roll


class Trouble:
    def __init__(self, roll: Roll, open_file: Open) -> None:
        self._roll = roll
        self._open = open_file

    def met(self, life: Life, error: OSError) -> None:
        """Go on with it if it can be opened anew and is the same. `error`: what came of reading it, or of looking."""
        self._roll.dequeue(life)
        life.held = False
        damaged = isinstance(error, Undecodable)
        if not damaged and self._is_elsewhere(life):
            return
        self._roll.problem(life, "damaged" if damaged else "read_failed", why=error.strerror)
        if damaged:
            life.size = life.offset
            try:
                life.raw_size = life.file.look().size
            except OSError:
                life.raw_size = -1  # its name is elsewhere, or nowhere: the next look tells
            return
        life.raw_size = -1  # looked at again at every look
        try:
            file = self._open(life.file.path)
        except OSError as why:
            nameless = life.state is State.UNLINKED or isinstance(why, FileNotFoundError)
            if nameless and not _can_be_read(life):
                self._gone(life)
            return
        try:
            if recognise(life.identity(), reader.sight(file, life.path, life.identity())) is Verdict.SAME:
                file.kept = life.file.kept
                life.file, file = file, life.file
                return
        except OSError:
            return  # no better than before: tried again at the next look
        finally:
            file.close()
        try:
            life.file.look()
        except OSError:
            self._gone(life)

    def _is_elsewhere(self, life: Life) -> bool:
        """Was it renamed before a look saw that, and its descriptor taken back? Its inode tells where it is now."""
        if life.state is State.UNLINKED or _can_be_read(life):
            return False
        before = life.path
        if find_name(self._roll, life) in (None, before) or not _can_be_read(life):
            return False
        life.raw_size = -1  # the next look goes on with it
        if life.state is State.FOLLOWING:
            life.learn(Fact.RENAMED)
            self._roll.counts["rotations"] += 1
            self._roll.tell("info", "file_rotated", path=before, now=life.path, offset=life.offset)
        return True

    def _gone(self, life: Life) -> None:
        self._roll.tell("warning", "file_gone", path=life.path, offset=life.offset)
        self._roll.ended.append(Chunk(life.source, life.offset, b"", final=True))
        self._roll.remember(life, finished=True)
        self._roll.remove(life)
        life.file.close()


def _can_be_read(life: Life) -> bool:
    """Its descriptor may still lead to it where no name does."""
    try:
        life.file.pread(1, life.offset)
    except OSError:
        return False
    return True
