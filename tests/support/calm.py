"""Whether the machine is calm enough to tell a stall of ours from one of its own."""

import os


def busy() -> bool:
    """Tell whether more programs wanted the processors over the last minute than there are."""
    return os.getloadavg()[0] > (os.cpu_count() or 1)
