# SPDX-License-Identifier: Apache-2.0
"""What MongoDB holds. Threads: one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pymongo
from pymongo.errors import PyMongoError

from chaos.judge.answers import id_of, text_of

LOOKUPS_AT_A_TIME = 4  # on a busy machine most of a look-up is waiting
FIELDS = {"text": 1, "country": 1, "kafka": 1}


class Document:
    __slots__ = ("id", "name", "text", "country", "place")

    def __init__(self, found: dict) -> None:
        kafka = found.get("kafka") or {}
        self.id = id_of(found["_id"])  # None: no id of ours
        self.name = str(found["_id"])
        self.text = found.get("text")
        self.country = found.get("country")
        self.place = (kafka.get("partition"), kafka.get("offset"))


class Archive:
    """Every call raises PyMongoError while MongoDB is away."""

    def __init__(self, uri: str, database: str, collection: str) -> None:
        self._client = pymongo.MongoClient(uri, serverSelectionTimeoutMS=2000, socketTimeoutMS=60000)
        self._collection = self._client[database][collection]
        self._counts_fast: bool | None = None  # FerretDB: exact by $collStats, and slow otherwise
        self._lookup_s = 0.001  # what a document costs by its _id, and in a whole scan: as measured last
        self._scan_s = 0.0002

    def close(self) -> None:
        self._client.close()

    def count(self) -> int:
        if self._counts_fast is None:
            self._counts_fast = "ferretdbVersion" in self._client.admin.command("buildInfo")
        if not self._counts_fast:
            return self._collection.count_documents({})
        try:
            return sum(one["count"] for one in self._collection.aggregate([{"$collStats": {"count": {}}}]))
        except PyMongoError:
            if self._collection.find_one() is None:  # no collection yet
                return 0
            raise

    def lookups_took(self, seconds: float, documents: int) -> None:
        if documents > 100:
            self._lookup_s = seconds / documents

    def scan_took(self, seconds: float, documents: int) -> None:
        if documents > 100:
            self._scan_s = seconds / documents

    def scan_is_cheaper(self, looked_up: int) -> bool:
        return self.count() * self._scan_s < looked_up * self._lookup_s

    def document(self, event_id: int) -> Document | None:
        found = self._collection.find_one({"_id": text_of(event_id)}, FIELDS)
        return Document(found) if found else None

    def documents_of(self, ids: Iterable[int]) -> Iterator[tuple[int, Document | None]]:
        """Looks each up by itself, for FerretDB finds one _id fast and a list of them slowly."""
        rest = iter(ids)
        with ThreadPoolExecutor(LOOKUPS_AT_A_TIME) as pool:
            while part := list(islice(rest, 1000)):
                yield from zip(part, pool.map(self.document, part), strict=True)

    def documents(self) -> Iterator[Document]:
        return map(Document, self._collection.find({}, FIELDS, batch_size=5000))
