# SPDX-License-Identifier: Apache-2.0
"""Measuring the mesh: the driver behind ./mesh bench, and its tests."""
