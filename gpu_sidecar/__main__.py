"""`python3 -m gpu_sidecar`."""

from __future__ import annotations

import sys

from gpu_sidecar.cli import main

sys.exit(main())
