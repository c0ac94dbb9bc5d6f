# SPDX-License-Identifier: Apache-2.0
"""A bare bulk insert into the server that stands in MongoDB's place, into a collection indexed like the archive."""

from __future__ import annotations

from pathlib import Path

import pymongo

from bench.driver.site import Site, declared_stream

DATABASE = "bare"
COLLECTION = "documents"


def insert_bare(site: Site, values: Path, count: int) -> dict:
    """What bench-inserter says. The indexes are the archive's: the server is to have as much to do for either."""
    url = site.servers.mongo.url
    with pymongo.MongoClient(url) as client:
        collection = client[DATABASE][COLLECTION]
        collection.create_index([("received_at", pymongo.DESCENDING)])
        group = declared_stream()["count_by"]
        collection.create_index([(group, pymongo.ASCENDING), ("received_at", pymongo.DESCENDING)])
        try:
            return site.tools.inserter(url, DATABASE, COLLECTION, values, count)
        finally:
            collection.drop()
