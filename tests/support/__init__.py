# SPDX-License-Identifier: Apache-2.0
"""What the tests share: the mesh under test, clients of every entrance, and judges of what was stored."""
