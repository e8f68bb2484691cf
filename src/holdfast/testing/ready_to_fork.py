"""What a process does that has loaded all and is about to fork: done by its import, as `child` can ask its server for no more.

What is made here is made once for all children. What is frozen is not gone through by the collector of each child, which takes 0.2 s of one
processor each time, and writes into memory that is shared until then.
"""

from __future__ import annotations

import gc

from holdfast.api.app import ready_routes
from holdfast.core.ready_types import make_types_ready

ready_routes()
make_types_ready()
gc.collect()
gc.freeze()
