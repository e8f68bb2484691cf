"""What decoding bytes from outside can raise, all of it: msgspec alone does not say all in its own errors.

Text that is not UTF-8, and lists within lists without end, come as Python's own; who caught msgspec's alone was brought down by a file
of a few kilobytes.
"""

from __future__ import annotations

import msgspec

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
UNREADABLE_FILE = (OSError, *UNREADABLE)
