# SPDX-License-Identifier: Apache-2.0
"""Compares, event by event, what was answered with what Kafka and MongoDB hold (I1, I2, I4)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from chaos.judge.answers import text_of
from chaos.judge.archive import Archive, Document
from chaos.judge.book import Book
from chaos.judge.ledger import Entry, Ledger, payload_of
from chaos.judge.plan import Event, Outcome, split_place, split_text


@dataclass
class Comparison:
    """One run's. The mesh is at rest, or as near to it as it came. Threads: one."""

    book: Book
    ledger: Ledger
    archive: Archive
    whole: bool  # Kafka = Redis = MongoDB was seen: the archive holds nothing besides the ledger's events
    remade: bool = False  # some were acknowledged into an earlier log of that name, which is gone
    lost: int = 0
    doubled: int = 0
    documents: int = 0  # that were looked at
    _doubled: set[int] = field(default_factory=set)  # numbers of events
    _archived: set[int] = field(default_factory=set)  # ids in Kafka that have a document
    _strays: set[int] = field(default_factory=set)  # ids that have a document only

    def run(self) -> None:
        events = self.book.plan.events
        began = time.monotonic()
        if not self.whole or self.archive.scan_is_cheaper(len(events)):
            self._scan()
            self.archive.scan_took(time.monotonic() - began, self.documents)
        else:
            self._look_up(events)
            self.archive.lookups_took(time.monotonic() - began, self.documents)
        for event in events:
            self._judge(event)

    def _scan(self) -> None:
        """All documents; what nobody sent is found here."""
        for document in self.archive.documents():
            self.documents += 1
            entry = self.ledger.ids.get(document.id) if document.id is not None else None
            if entry is None:
                self._stray(document)
            else:
                self._meet(entry, document)

    def _look_up(self, events: list[Event]) -> None:
        """Only what these events should have, or may have."""
        for event_id, document in self.archive.documents_of(self._ids(events)):
            self.documents += 1
            entry = self.ledger.ids.get(event_id)
            if document is not None and entry is not None:
                self._meet(entry, document)
            elif document is not None:
                self._strays.add(event_id)

    def _ids(self, events: list[Event]) -> Iterator[int]:
        for event in events:
            entries = self.ledger.entries_of(event.number)
            yield from (entry.id for entry in entries)
            if event.outcome == Outcome.ACKED and event.id is not None and not self.ledger.has(event.id):
                yield event.id

    def _meet(self, entry: Entry, document: Document) -> None:
        """A document that Kafka has, too."""
        self._archived.add(entry.id)
        token = f"{entry.run}-{entry.number}"
        if payload_of(document.text, document.country) != entry.payload:
            held = f"{str(document.text)[:120]!r}, {document.country!r}"
            self._add("I1", f"the document has another payload than Kafka: {held}", token)
        if self.ledger.at(*document.place) is not entry:
            self._add("I1", f"the document says it is from {document.place}, where Kafka has another record", token)

    def _stray(self, document: Document) -> None:
        """A document whose id is in no record."""
        label, number = split_text(document.text) or ("", -1)
        if self.remade and self.ledger.is_ours(label):
            return  # of the earlier log of that name
        if document.id is not None:
            self._strays.add(document.id)
        if label == self.book.names.label and number < len(self.book.plan.events):
            event = self.book.plan.events[number]
            if self.ledger.entries_of(number):
                self._double(event, f"document {document.name} besides its own")
                return
        self._add("I2", f"document {document.name} is in no record of Kafka: {str(document.text)[:80]!r}")

    def _judge(self, event: Event) -> None:
        entries = self.ledger.entries_of(event.number)
        if event.outcome in (Outcome.REFUSED, Outcome.UNSENT, Outcome.PENDING):
            self._check_not_stored(event, entries)
            return
        if sum(entry.id in self._archived for entry in entries) > 1:
            self._double(event, f"documents {', '.join(text_of(entry.id) for entry in entries)}")
        for entry in entries:
            self._check_stored(event, entry)
        if event.outcome == Outcome.ACKED:
            self._check_acked(event, entries)

    def _check_not_stored(self, event: Event, entries: list[Entry]) -> None:
        for entry in entries:
            said = {Outcome.REFUSED: "refused as not stored", Outcome.PENDING: "never sent"}
            what = said.get(event.outcome, "no connection was taken")
            self._add("I4", f"{what}, but Kafka has it as {text_of(entry.id)}", self._token(event))

    def _check_stored(self, event: Event, entry: Entry) -> None:
        if entry.payload != payload_of(self.book.names.text(event.number), event.archived_country):
            self._add("I1", "the record in Kafka has another payload than what was sent", self._token(event))
        if entry.id not in self._archived and (self.whole or event.outcome == Outcome.ACKED):
            self._lose(event, f"{text_of(entry.id)} is in Kafka, but has no document")

    def _check_acked(self, event: Event, entries: list[Entry]) -> None:
        if event.id not in {entry.id for entry in entries}:
            if not self.remade:  # else its record may have gone with the earlier log
                archived = "a" if event.id in self._strays else "no"
                self._lose(event, f"acknowledged, but not in Kafka; it has {archived} document")
            return
        if event.place is None or self.remade:
            return
        place = split_place(event.place)
        held = self.ledger.at(*place)
        if held is None or held.id != event.id:
            there = f"{held.run}-{held.number}" if held is not None else "no event"
            self._lose(event, f"acknowledged at {place}, where Kafka has {there}")

    def _lose(self, event: Event, text: str) -> None:
        if event.outcome == Outcome.ACKED:
            self.lost += 1
        self._add("I1", text, self._token(event))

    def _double(self, event: Event, text: str) -> None:
        if event.number not in self._doubled:
            self._doubled.add(event.number)
            self.doubled += 1
        self._add("I1", f"doubled: {text}", self._token(event))

    def _token(self, event: Event) -> str:
        return self.book.names.token(event.number)

    def _add(self, kind: str, text: str, token: str = "") -> None:
        self.book.findings.add(kind, text, token)


def strangers(book: Book, ledger: Ledger) -> None:
    """Events in Kafka that nobody has sent, or that carry a number that was never given out (I2)."""
    for entry in ledger.take_strangers():
        book.findings.add("I2", f"Kafka has {text_of(entry.id)} (of {entry.run!r}), which nobody sent")
    for number in ledger.numbers_from(len(book.plan.events)):
        book.findings.add("I2", "Kafka has a number that was never given out", book.names.token(number))
