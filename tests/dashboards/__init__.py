# SPDX-License-Identifier: Apache-2.0
"""Grafana's dashboards: a linter, and a test that executes every query of every panel."""
