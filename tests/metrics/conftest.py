"""Made-up runs live beside the tests of the report and serve the tests of the figures too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "report"))
