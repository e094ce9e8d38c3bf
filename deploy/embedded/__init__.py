"""Apache Kafka and MongoDB without Docker: two child processes with all their data in one folder.

`servers(folder)` yields where to connect, and each server, to be killed and started again. The servers listen on
127.0.0.1 only, and none outlives the process that started it.
`python -m deploy.embedded fetch` downloads what is not in a Python package, `… run --data-dir DIR` runs both.
"""

from deploy.embedded.errors import BadDownload, CannotRunHere, EmbeddedError, FolderInUse, StartFailed
from deploy.embedded.servers import Endpoints, Server, Servers, check_machine, servers

__all__ = [
    "BadDownload",
    "CannotRunHere",
    "EmbeddedError",
    "Endpoints",
    "FolderInUse",
    "Server",
    "Servers",
    "StartFailed",
    "check_machine",
    "servers",
]
