"""An MTurk of one's own: the Requester API, workers' pages and simulated workers.

It speaks the API of Amazon Mechanical Turk, version 2017-01-17, inside a boto3 client or
over HTTP, on a database that several processes can use at once. Nothing else of turkbatch
is imported here, so that a mistake shared with the client can't pass every test.

Modules are loaded when they are first asked for::

    from turkbatch.server import inprocess, service, store

    served = service.Service(store.Store.open("mturk.db"))
    inprocess.attach(client, served)
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = [
    "app",
    "clock",
    "crowd",
    "faults",
    "inprocess",
    "service",
    "store",
    "worker",
]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
