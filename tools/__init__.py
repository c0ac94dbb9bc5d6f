# SPDX-License-Identifier: Apache-2.0
"""The scripts behind ./mesh."""
