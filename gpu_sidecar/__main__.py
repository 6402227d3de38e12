"""`python3 -m gpu_sidecar`, and the first file of the zipapp."""

import sys

if sys.version_info < (3, 8):  # noqa: UP036 - this line is for those Pythons
    sys.stderr.write("gpu_sidecar: it needs Python 3.8 or newer, and this is %s\n" % sys.version.split()[0])  # noqa: UP031
    sys.exit(2)

from gpu_sidecar.entry_point import main

sys.exit(main())
