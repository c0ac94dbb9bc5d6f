# SPDX-License-Identifier: Apache-2.0
"""An HTTP client that sends each request exactly once.

geventhttpclient sends a request again, even a POST, when the connection breaks. A load generator
must not: the failure would be hidden, and an event could be stored twice while one was counted.
"""

from __future__ import annotations

from geventhttpclient.client import HTTPClientPool
from locust.contrib.fasthttp import LocustUserAgent

CONNECT_S_MAX = 10.0
ANSWER_S_MAX = 30.0


class _OneAttemptPool(HTTPClientPool):
    def get_client(self, url):
        client = super().get_client(url)
        # HTTPClient.request() tries size + 1 times more; the queue and lock have their own size.
        client._connection_pool.size = -1
        return client


class OneAttemptAgent(LocustUserAgent):
    """Neither retries nor follows redirects, keeps no cookies, leaves the status to the caller.

    TLS certificates are verified; SSL_CERT_FILE names another set of authorities.
    """

    redirect_resonse_codes = frozenset()  # the library's spelling

    def __init__(self) -> None:
        pool = _OneAttemptPool(
            concurrency=1, connection_timeout=CONNECT_S_MAX, network_timeout=ANSWER_S_MAX
        )
        super().__init__(client_pool=pool, max_redirects=1, max_retries=1)

    def _verify_status(self, status_code, url=None) -> None:
        """The checks decide which status is right; here any is."""

    def _handle_error(self, error, url=None):
        raise error
