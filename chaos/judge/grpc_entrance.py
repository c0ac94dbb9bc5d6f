# SPDX-License-Identifier: Apache-2.0
"""Sends requests as an outside gRPC client and understands the replies."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from support.events import encode
from support.grpc_client import GrpcClient
from support.grpc_client import request as message

from chaos.judge.answers import CLIENT_S_MAX, Answered, Told, id_of, text_of
from chaos.judge.plan import STREAM_REQUESTS, Entrance, Event, Names, Outcome, Request

OPTIONS = (("grpc.use_local_subchannel_pool", 1),)
OUTCOMES = {4: Outcome.UNKNOWN, 8: Outcome.REFUSED, 14: Outcome.REFUSED}
# How a call may end without a whole reply: the connection broke, the server drains, its limits.
ENDS = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
}


class GrpcEntrance:
    """A channel to every address, used in turn. Threads: one."""

    def __init__(self, addresses: list[str], stream: str) -> None:
        self._addresses = addresses
        self._clients = [GrpcClient(address, OPTIONS) for address in addresses]
        self._stream = stream
        self._turn = 0

    def close(self) -> None:
        for client in self._clients:
            client.channel.close()

    def send(self, request: Request, names: Names) -> Answered:
        self._turn = (self._turn + 1) % len(self._clients)
        client = self._clients[self._turn]
        ways = {Entrance.GRPC_STREAM: self._send_stream}
        answered = ways.get(request.entrance, self._send_one)(client, request, names)
        if answered.word == grpc.StatusCode.UNAVAILABLE.name:
            # A channel of grpcio 1.51 looks again only 5 s after its connection broke, whatever its
            # options say; that would be measured as our programs' time.
            client.channel.close()
            self._clients[self._turn] = GrpcClient(self._addresses[self._turn], OPTIONS)
        return answered

    def _send_one(self, client: GrpcClient, request: Request, names: Names) -> Answered:
        answered = Answered.all(Outcome.BROKEN, len(request.events), "")
        try:
            reply = client.publish(self._message(1, request.events, request.keyed, names), timeout=CLIENT_S_MAX)
        except grpc.RpcError as error:
            return _ended(answered, error)
        answered.word = "OK"
        understand(reply, 1, request.events, request.keyed, answered, 0)
        return answered

    def _send_stream(self, client: GrpcClient, request: Request, names: Names) -> Answered:
        answered = Answered.all(Outcome.BROKEN, len(request.events), "")
        length = -(-len(request.events) // STREAM_REQUESTS)
        parts = {at + 1: request.events[at : at + length] for at in range(0, len(request.events), length)}
        messages = [self._message(at, events, request.keyed, names) for at, events in parts.items()]
        try:
            for reply in client.publish_stream(iter(messages), timeout=CLIENT_S_MAX):
                events = parts.pop(reply.sequence, None)
                if events is None:
                    answered.faults.append(f"a reply with sequence {reply.sequence}, which is not open")
                    continue
                understand(reply, reply.sequence, events, request.keyed, answered, reply.sequence - 1)
        except grpc.RpcError as error:
            return _ended(answered, error)
        answered.word = "OK"
        if parts:
            answered.faults.append(f"the stream ended with OK, without replies to {sorted(parts)}")
        return answered

    def _message(self, sequence: int, events: Iterable[Event], keyed: bool, names: Names) -> object:
        fields = [{"stream": self._stream, "payload": encode(names.payload(event))} for event in events]
        if keyed:
            for field, event in zip(fields, events, strict=True):
                field["id"] = text_of(event.id)
        return message(sequence, *fields)


def _ended(answered: Answered, error: grpc.RpcError) -> Answered:
    """The call ended with a status, which says nothing about the events without a reply."""
    code = error.code()
    answered.word = code.name
    if code not in ENDS:
        answered.faults.append(f"a good request ended with {code.name}: {error.details()}")
    return answered


def understand(reply: object, sequence: int, events: list[Event], keyed: bool, answered: Answered, at: int) -> None:
    """Writes what the reply says about events into answered.told[at:]."""
    codes, partitions, offsets = list(reply.codes), list(reply.partitions), list(reply.offsets)
    ids = list(reply.ids)
    if reply.sequence != sequence or not len(codes) == len(partitions) == len(offsets) == len(events):
        answered.faults.append(f"sequence {reply.sequence} for {sequence}, {len(codes)} codes for {len(events)} events")
        return
    if len(ids) != (0 if keyed else len(events)):
        answered.faults.append(f"{len(ids)} ids for {len(events)} events {'with' if keyed else 'without'} ids")
        return
    for index, code in enumerate(codes):
        place = (partitions[index], offsets[index])
        if code == 0:
            event_id = None if keyed else id_of(ids[index])
            if not keyed and event_id is None:
                answered.faults.append(f"id {ids[index]!r} is no UUID")
            answered.told[at + index] = Told(Outcome.ACKED, event_id, place if place[1] >= 0 else None)
            continue
        if place != (-1, -1):
            answered.faults.append(f"code {code} with place {place}")
        if code not in OUTCOMES:
            answered.faults.append(f"code {code} for a good event: {list(reply.problems)[:1]}")
        answered.told[at + index] = Told(OUTCOMES.get(code, Outcome.REFUSED if code == 3 else Outcome.UNKNOWN))
