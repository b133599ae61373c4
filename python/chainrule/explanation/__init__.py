# SPDX-License-Identifier: Apache-2.0
"""One row's way through a network and back, as a page that explains every number."""
