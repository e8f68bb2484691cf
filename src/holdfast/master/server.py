"""A Master as a process: set up once by `init_master`, then served until told to stop.

One asyncio loop carries both ends: uvicorn with the API, grpc.aio with the hub. The application is handed in, because HTTP is the
layer above; `api.serve.run_master` puts the two together.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from holdfast.core.clock import Clock
from holdfast.core.entropy import Entropy
from holdfast.core.errors import Conflict, UsageError
from holdfast.core.ids import EnvironmentId, new_id
from holdfast.master.access import ADMIN, hash_password, new_secret, new_token
from holdfast.master.config import MasterConfig
from holdfast.master.environment import first_text
from holdfast.master.foundation import Foundation
from holdfast.master.master import Master, build_master
from holdfast.master.records import access, documents
from holdfast.master.records.database import Database
from holdfast.master.records.documents import Environment
from holdfast.core.clock import now
