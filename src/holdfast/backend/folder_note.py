"""The note in a repository's folder that says which node owns it: `holdfast-owner`, at the top, where restic overlooks it.

It lies in the folder and not beside it, because it must go where the folder goes: to another machine with its disk.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count

from holdfast.core.errors import NoSpace, RepositoryMissing, StoreError, is_no_space
from holdfast.core.private_files import sync_folder

NOTE = "holdfast-owner"
_MOST_BYTES = 4096


class FolderNotes:
    """A `lease.Notes` in one folder. `stray`: how names begin that the folder's owner clears away after a crash."""

    def __init__(self, folder: str, stray: str) -> None:
        self._folder = folder
        self._stray = stray
        self._numbers = count()

    def get(self, key: str) -> bytes:
        """Raises `RepositoryMissing` where there is none."""
        try:
            descriptor = os.open(os.path.join(self._folder, key), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError as error:
            raise RepositoryMissing(f"nobody has put a note into {self._folder}") from error
        except OSError as error:
            raise self._error(error) from error
        try:
            return os.read(descriptor, _MOST_BYTES + 1)
        except OSError as error:
            raise self._error(error) from error
        finally:
            os.close(descriptor)

    def put_new(self, key: str, data: bytes) -> bool:
        """Of two that come at the same moment one wins. Durable when it returns True."""
        temporary = os.path.join(self._folder, f"{self._stray}note-{os.getpid()}-{next(self._numbers)}")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.write(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.link(temporary, os.path.join(self._folder, key))
            sync_folder(self._folder)
        except FileExistsError:
            return False
        except OSError as error:
            raise self._error(error) from error
        finally:
            with suppress(OSError):
                os.unlink(temporary)
        return True

    def delete(self, key: str) -> None:
        try:
            os.unlink(os.path.join(self._folder, key))
            sync_folder(self._folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> StoreError:
        kind = NoSpace if is_no_space(error) else StoreError
        return kind(f"the owner's note in {self._folder}: {error.strerror}", hint="check permissions and the disk", location=self._folder)
