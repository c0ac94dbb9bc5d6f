# SPDX-License-Identifier: Apache-2.0
"""Runs the mesh and the bare libraries in turns, and says how close the one comes to the other."""
