"""A process in which two threads meet a type at once lives, when its types were made ready before."""

from __future__ import annotations

import subprocess
import sys

_MANY_TIMES = """
import sys, threading, msgspec
from holdfast.core.ready_types import make_types_ready

sys.setswitchinterval(1e-6)
inner = "".join(f"class I{k}(msgspec.Struct, tag=True):\\n  a: 'int | None'\\n  b: 'str | None'\\n" for k in range(8))
outer = "class O(msgspec.Struct):\\n" + "".join(f"  f{k}: 'I{k}'\\n" for k in range(8))
for _ in range(300):
    exec(inner + outer, globals())
    {ready}
    data = msgspec.msgpack.encode(O(*(globals()[f"I{k}"](1, "x") for k in range(8))))
    together = threading.Barrier(3)
    def decode():
        together.wait()
        msgspec.msgpack.decode(data, type=O)
    threads = [threading.Thread(target=decode) for _ in range(3)]
    for each in threads: each.start()
    for each in threads: each.join()
"""


def test_threads_that_meet_a_type_at_once_find_it_whole() -> None:
    done = subprocess.run([sys.executable, "-c", _MANY_TIMES.replace("{ready}", "make_types_ready()")], capture_output=True, timeout=120)
    assert (done.returncode, done.stderr.decode()) == (0, "")
