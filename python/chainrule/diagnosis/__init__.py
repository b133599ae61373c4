# SPDX-License-Identifier: Apache-2.0
"""What ails a network and its data: measures of its layers, and findings in plain words."""
