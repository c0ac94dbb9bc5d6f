# SPDX-License-Identifier: Apache-2.0
"""Tests of the judge and of the runner."""
