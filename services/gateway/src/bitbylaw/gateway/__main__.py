"""Start of the gateway: `python -m bitbylaw.gateway`."""

import sys

from bitbylaw.common.service.process import main
from bitbylaw.gateway.app import serve
from bitbylaw.gateway.settings import read

if __name__ == "__main__":
    sys.exit(main("gateway", read, serve))
