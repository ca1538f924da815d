"""Under which name is an open file found now? A rename shows in its directory, by device and inode."""

from logtail.discovery import siblings
from logtail.life import Key, Life
from logtail.opened import Condition
from logtail.roll import Roll


def look_without_name(roll: Roll, life: Life) -> Condition:
    """No matching name leads to it. If its descriptor was taken back it must be found by its inode."""
    try:
        return life.file.look()
    except OSError:
        if find_name(roll, life) is None:
            raise
        return life.file.look()


def find_name(roll: Roll, life: Life) -> str | None:
    """Its name in the directory where it was; from now on it can be opened again by that."""
    places = (life.path, life.target) if life.target else (life.path,)
    found = next((each.path for place in places for each in siblings(place) if each.key == life.key), None)
    if found is not None:
        roll.rename(life, found)
    return found


def has_name(path: str, key: Key) -> bool:
    """Does the name by which it was last seen still lead to it?"""
    return any(each.key == key and each.path == path for each in siblings(path))
