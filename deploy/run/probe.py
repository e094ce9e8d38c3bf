"""`python -m deploy.run.probe URL`: exit code 0 if it answers with 2xx, else 1. For health checks of containers.

Instead of a URL it takes the file in which a service writes its address (TENURE_ADDRESS_FILE), and asks whether it is
ready."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener


def main(place: str) -> int:
    url = place
    try:
        if "://" not in place:
            url = f"{Path(place).read_text().strip()}/health/ready"
        # Never by way of a proxy: it is this machine that is asked.
        with build_opener(ProxyHandler({})).open(url, timeout=4) as answer:
            return 0 if 200 <= answer.status < 300 else 1
    except (URLError, OSError, ValueError) as problem:
        sys.stderr.write(f"{url}: {problem}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
