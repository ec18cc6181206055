"""How long the self-managed certificates live, in seconds, with the reason of each length.

published                      successor published   it signs       predecessor retired        expired
|------------- 2/3 of AUTHORITY_LIFE ------|-- PUBLISHED_FIRST --|-- SERVING_LIFE + SKEW --|------|
"""

from __future__ import annotations

DAY = 86400.0

AUTHORITY_LIFE = 365 * DAY  # as in cert-manager's own webhook: a stolen key ends with it, and a rotation is no rarity
SERVING_LIFE = 7 * DAY  # a key never leaves its process, so nothing needs to outlive a long weekend without API server
RENEWED_AFTER = 2 / 3  # of a life; the rest is the time to repair what hinders the renewal

# A successor is in the bundle this long before it signs. Kubelet needs about two minutes to bring a ConfigMap into a
# pod. A week also covers an injector that is down over a weekend, and costs nothing: its predecessor lives for months.
PUBLISHED_FIRST = 7 * DAY

SKEW = 3600.0  # by which clocks of nodes may differ; certificates are valid this long before they are issued
