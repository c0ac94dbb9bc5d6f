# SPDX-License-Identifier: Apache-2.0
"""What an event costs in joules and grams of CO2e: measured by Kepler, or estimated from CPU time."""
