# SPDX-License-Identifier: Apache-2.0
"""The judge of one mesh after another: what runner's requests do. Threads: one calls."""

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import asdict

from pymongo.errors import PyMongoError

from chaos.judge.archive import Archive
from chaos.judge.book import OPEN, Book
from chaos.judge.comparison import Comparison, strangers
from chaos.judge.counters import Counters
from chaos.judge.findings import Findings
from chaos.judge.halts import Halts
from chaos.judge.ledger import Ends, Ledger
from chaos.judge.live import Live
from chaos.judge.plan import Outcome
from chaos.judge.probe import Probe
from chaos.judge.protocol import Counts, Run, Target, Verdict
from chaos.judge.resources import Resources
from chaos.judge.rest import Rest, said
from chaos.judge.sampler import Sampler
from chaos.judge.senders import Entrances, Senders

VISIBLE_S_MAX = 5.0  # I6
READ_S = 30.0  # for Kafka to give what it holds, where equality is not demanded


class Mesh:
    """What the judge keeps of a mesh from its first run to its last."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.runs = 0
        self.halts = Halts()
        self.ledger = Ledger(target.kafka, target.topic, target.count_by)
        self.archive = Archive(target.mongo, target.database, target.collection)
        self.counters = Counters(target.redis, target.stream, target.count_by)
        self.ends = Ends(target.kafka, target.topic)
        self.live = Live(target.live_url, target.stream) if target.live_url else None
        sampled = (Ends(target.kafka, target.topic), Counters(target.redis, target.stream, target.count_by))
        self.sampler = Sampler(self.ledger, *sampled, self.live)
        self.resources = Resources(lambda: self.target, self.halts)

    def is_same(self, target: Target) -> bool:
        """The same mesh, perhaps with other entrances."""
        fixed = ("state_file", "stream", "topic", "collection", "database", "kafka", "redis", "mongo", "live_url")
        return all(getattr(target, name) == getattr(self.target, name) for name in fixed)

    def probe(self, book: Book) -> Probe:
        return Probe(
            book,
            Entrances(lambda: self.target, 0),
            self.ledger,
            Archive(self.target.mongo, self.target.database, self.target.collection),
            Counters(self.target.redis, self.target.stream, self.target.count_by),
        )

    def close(self) -> None:
        self.sampler.close()
        self.resources.close()
        self.ledger.close()
        self.ends.close()
        self.archive.close()
        self.counters.close()


class Court:
    def __init__(self) -> None:
        self._mesh: Mesh | None = None
        self._case: Case | None = None
        self.dead_threads: list[str] = []
        threading.excepthook = self._thread_died

    def _thread_died(self, died: threading.ExceptHookArgs) -> None:
        """A judge that looks no more must not say that all is well."""
        traceback.print_exception(died.exc_value)
        self.dead_threads.append(f"{died.thread.name if died.thread else '?'}: {died.exc_value!r}")

    def watch(self, target: dict) -> None:
        told = Target(**target)
        if self._mesh is not None and self._mesh.is_same(told):
            self._mesh.target = told
            return
        if self._mesh is not None:
            self._mesh.close()
        self._mesh = Mesh(told)

    def begin(self, run: dict) -> None:
        if self._mesh is None:
            raise RuntimeError("begin before watch")
        if self._case is not None:
            raise RuntimeError("begin before the end of the run before")
        self._case = Case(self._mesh, Run(**run))

    def struck(self, times: int = 1) -> None:
        self._of_run().struck += times

    def healed(self) -> None:
        self._of_run().heal()

    def counts(self) -> dict:
        if self.dead_threads:
            raise RuntimeError(f"a thread of the judge has died: {self.dead_threads[0]}")
        return asdict(self._of_run().counts())

    def end(self) -> dict:
        case, self._case = self._of_run(), None
        verdict = case.end()
        verdict.violations += [f"judge: a thread has died: {thread}" for thread in self.dead_threads]
        return asdict(verdict)

    def close(self) -> None:
        if self._case is not None:
            self._case.abandon()
        if self._mesh is not None:
            self._mesh.close()

    def _of_run(self) -> Case:
        if self._case is None:
            raise RuntimeError("no run has begun")
        return self._case


class Case:
    """One run, from begin to end."""

    def __init__(self, mesh: Mesh, run: Run) -> None:
        mesh.runs += 1
        self._mesh, self._run = mesh, run
        label = f"{run.name}.{mesh.runs}-{run.seed}"
        self._findings = Findings()
        self._book = Book(run, label, self._findings, mesh.halts)
        mesh.ledger.begin_run(label)
        self._generation = mesh.ledger.generation
        mesh.sampler.begin(self._findings, strict=run.exact_s is not None)
        mesh.resources.begin(self._findings)
        self._rest = Rest(mesh.ledger, mesh.ends, mesh.counters, mesh.archive)
        self._probes: list[Probe] = []  # the last one counts
        self.struck = 0
        self._began_at = time.monotonic()
        self._healed_at: float | None = None
        self._senders = Senders(self._book, lambda: mesh.target)

    def heal(self) -> None:
        if self._probes:
            self._probes[-1].cancel()
        self._healed_at = time.monotonic()
        self._probes.append(self._mesh.probe(self._book))

    def counts(self) -> Counts:
        return self._book.counts()

    def abandon(self) -> None:
        if self._probes:
            self._probes[-1].cancel()
        self._senders.stop()

    def end(self) -> Verdict:
        run, mesh, verdict = self._run, self._mesh, Verdict(struck=self.struck)
        self._senders.stop()
        sent_s = time.monotonic() - self._began_at
        self._senders.clear_up(run.retry_s)
        if self._probes:
            self._judge_probe(verdict)
        for probe in self._probes:
            probe.join()
        healed_at = self._healed_at or self._began_at
        since = max(healed_at, self._book.last_answer)
        equal_at = None
        if run.exact_s is not None:
            equal_at = self._rest.wait_equal(run.exact_s + run.patience_s)
        if equal_at is not None:
            verdict.exact_s = round(max(0.0, equal_at - since), 3)
        elif not self._rest.wait_read(READ_S):
            self._findings.add("I1", "Kafka does not give what it holds; nothing could be compared")
        elif run.exact_s is None:
            if mesh.ledger.read_anew_if_remade():
                self._rest.wait_read(READ_S)
            self._rest.wait_archived(run.patience_s)
        self._compare(verdict, equal_at is not None)
        self._judge_goals(verdict, healed_at)
        self._measure(verdict, sent_s)
        mesh.resources.begin(None)
        verdict.violations = self._findings.lines()
        return verdict

    def _judge_probe(self, verdict: Verdict) -> None:
        visible = self._probes[-1].wait((self._run.exact_s or 0) + VISIBLE_S_MAX)
        verdict.figures |= {f"visible_{name}_s": round(at, 3) for name, at in self._probes[-1].reached_s.items()}
        if visible is not None:
            verdict.figures["visible_s"] = round(visible, 3)
        if self._run.exact_s is None or (visible is not None and visible <= VISIBLE_S_MAX):
            return
        when = f"visible {visible:.1f} s after healing" if visible is not None else "not visible"
        self._findings.add("I6", f"a fresh event was {when}, allowed {VISIBLE_S_MAX:g}")

    def _compare(self, verdict: Verdict, whole: bool) -> None:
        mesh = self._mesh
        remade = mesh.ledger.generation != self._generation
        mesh.sampler.end(remade and self._run.exact_s is None)
        comparison = Comparison(self._book, mesh.ledger, mesh.archive, whole, remade)
        began = time.monotonic()
        try:
            comparison.run()
        except PyMongoError as error:
            self._findings.add("I1", f"MongoDB could not be read: {error}")
        strangers(self._book, mesh.ledger)
        if self._run.exact_s is not None:
            self._check_cleared_up()
            if differing := self._rest.difference():
                verdict.counter_error = max(abs(kafka - redis) for kafka, redis in differing.values())
                self._findings.add("I3", f"at rest {said(differing)}")
        verdict.counter_error = max(verdict.counter_error, mesh.sampler.overshoot)
        verdict.lost, verdict.doubled = comparison.lost, comparison.doubled
        verdict.figures["documents_compared"] = comparison.documents
        verdict.figures["comparing_s"] = round(time.monotonic() - began, 2)

    def _check_cleared_up(self) -> None:
        for request in self._book.left_open():
            for event in request.events:
                if event.outcome in OPEN:
                    token = self._book.names.token(event.number)
                    self._findings.add("I4", f"still {event.outcome.name} after {request.attempts} attempts", token)

    def _judge_goals(self, verdict: Verdict, healed_at: float) -> None:
        run = self._run
        verdict.acked = self._book.counts().acked
        verdict.void = self.struck < run.struck_min or verdict.acked < run.acked_min
        first = self._book.first_ack_after(healed_at)
        verdict.first_ack_s = round(first, 3) if first is not None else None
        if run.first_ack_s is not None and (first is None or first > run.first_ack_s):
            when = f"after {first:.2f} s" if first is not None else "never"
            self._findings.add("goal", f"first 2xx after healing came {when}, allowed {run.first_ack_s:g} s")
        if run.exact_s is not None and (verdict.exact_s is None or verdict.exact_s > run.exact_s):
            when = f"after {verdict.exact_s:.2f} s" if verdict.exact_s is not None else f"not: {self._rest.missing}"
            self._findings.add("goal", f"Kafka = Redis = MongoDB came {when}, allowed {run.exact_s:g} s")

    def _measure(self, verdict: Verdict, sent_s: float) -> None:
        mesh, book, figures = self._mesh, self._book, verdict.figures
        counts = book.counts()
        figures |= {name: value for name, value in asdict(counts).items() if name != "acked"}
        figures |= {"equality_demanded": float(self._run.exact_s is not None), "sending_s": round(sent_s, 2)}
        figures |= {f"answers_{word}": count for word, count in sorted(book.words.items())}
        figures |= {"retries": book.retries, "duplicates_in_kafka": mesh.ledger.duplicates}
        figures |= {"not_counted_in_kafka": mesh.ledger.not_counted, "events_in_kafka": len(mesh.ledger.ids)}
        figures |= {"samples": mesh.sampler.samples, "samples_skipped": mesh.sampler.skipped}
        if mesh.live is not None:
            figures["live_messages"] = mesh.live.messages
        for entrance, took in book.latencies.items():
            name = entrance.name.lower()
            if took:
                ordered = sorted(took)
                figures[f"p50_ms_{name}"] = round(ordered[len(ordered) // 2] * 1000, 1)
                figures[f"p99_ms_{name}"] = round(ordered[len(ordered) * 99 // 100] * 1000, 1)
            figures[f"acked_{name}"] = book.acked_by[entrance]
        figures["never_sent"] = sum(event.outcome == Outcome.PENDING for event in book.plan.events)
        figures |= mesh.resources.maxima()
