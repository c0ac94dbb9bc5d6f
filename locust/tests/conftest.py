# SPDX-License-Identifier: Apache-2.0
"""Makes the load generator's modules importable, as Locust does for a locustfile."""

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parents[1]))

# A busy machine is no failure, and the project's folder stays as it was.
settings.register_profile("locust", deadline=None, database=None)
settings.load_profile("locust")
