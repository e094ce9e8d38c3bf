"""`python -m deploy.run.probe URL`: exit code 0 if it answers with 2xx, else 1. For health checks of containers."""

from __future__ import annotations

import sys
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener


def main(url: str) -> int:
    try:
        # Never by way of a proxy: it is this machine that is asked.
        with build_opener(ProxyHandler({})).open(url, timeout=4) as answer:
            return 0 if 200 <= answer.status < 300 else 1
    except (URLError, OSError, ValueError) as problem:
        sys.stderr.write(f"{url}: {problem}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
