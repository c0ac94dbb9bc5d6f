# SPDX-License-Identifier: Apache-2.0
"""Faults under load, and a judge that says what became of every event. See README.md."""
