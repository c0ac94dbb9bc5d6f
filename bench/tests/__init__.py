# SPDX-License-Identifier: Apache-2.0
"""Tests of the driver: what it computes, selects and says; nothing is measured here."""
