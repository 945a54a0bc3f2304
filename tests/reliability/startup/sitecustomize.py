"""Read by Python as it starts, when a test puts this directory on its path.

``DIE_AT_FSYNC=N`` kills the process, as ``kill -9`` does, before or after (``DIE_WHEN``)
its N-th fsync. ``DISK_BYTES=N`` lets no file grow beyond N bytes, as a full disk does.
"""

import itertools
import os
import resource
import signal

if "DIE_AT_FSYNC" in os.environ:
    _last = int(os.environ["DIE_AT_FSYNC"])
    _when = os.environ["DIE_WHEN"]
    _count = itertools.count(1)
    _fsync = os.fsync

    def _dying_fsync(descriptor: int) -> None:
        number = next(_count)
        if number == _last and _when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        _fsync(descriptor)
        if number == _last and _when == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = _dying_fsync  # type: ignore[assignment]

if "DISK_BYTES" in os.environ:
    # The signal is ignored, so that writing fails with an error as on a full disk.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _bytes = int(os.environ["DISK_BYTES"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (_bytes, _bytes))
