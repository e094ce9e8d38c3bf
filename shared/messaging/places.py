"""Places in consumer groups that the dead still hold.

A process that is killed cannot leave its groups: its partitions stay its own until its session ends, and whoever is
started in its stead would wait for that. So every process is named in its client id, and the next one on the machine
gives up the places of those that are gone. (Kafka's static membership would do the same only where every replica has a
name of its own that outlives it, and would leave a partition unread for a session's length whenever one is stopped.)
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, UnknownMemberIdError, for_code
from aiokafka.protocol.admin import DescribeGroupsRequest_v2
from aiokafka.protocol.api import Request
from aiokafka.protocol.group import LeaveGroupRequest

PATIENCE_S = 5.0


class _DescribeGroups(Request[DescribeGroupsRequest_v2]):  # type: ignore[misc]
    """Version 2, for the library takes the answer to its version 3 for one of version 2, and stumbles over it."""

    API_KEY = DescribeGroupsRequest_v2.API_KEY

    def __init__(self, groups: Sequence[str]) -> None:
        self._groups = list(groups)

    def build(self, request_struct_class: type[DescribeGroupsRequest_v2]) -> DescribeGroupsRequest_v2:
        return request_struct_class(self._groups)


def client_id(name: str) -> str:
    """`name`, and which process of which machine this is."""
    return f"{name}.{_machine()}.{os.getpid()}.{_began(os.getpid())}"


def is_gone(id: str) -> bool:
    """Whether this client id is of a process of this machine that has ended, though its number may be another's now.

    A container of its own counts as another machine, of which nothing is known."""
    name, *process = id.rsplit(".", 2)
    if len(process) != 2 or not name.endswith(f".{_machine()}"):
        return False
    pid, began = process
    return pid.isdecimal() and began.isdecimal() and _began(int(pid)) != began


async def give_up_places_of_the_gone(admin: AIOKafkaAdminClient, groups: Sequence[str]) -> int:
    """Call it before joining. Returns how many places were given up. Raises KafkaError."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await _give_up(admin, groups)
        except KafkaError as problem:
            # A broker that has just started is still reading who is in which group.
            if not problem.retriable or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


async def _give_up(admin: AIOKafkaAdminClient, groups: Sequence[str]) -> int:
    nodes = await asyncio.gather(*(admin.find_coordinator(group) for group in groups))
    left = 0
    for node in sorted(set(nodes)):
        mine = [group for group, at in zip(groups, nodes, strict=True) if at == node]
        answer = await admin._send_request(_DescribeGroups(mine), node)
        for error, group, _state, _type, _protocol, members in answer.groups:
            if error:
                raise for_code(error)(f"{group} cannot be described")
            for member, client, *_more in members:
                if is_gone(client):
                    response = await admin._send_request(LeaveGroupRequest(group, member), node)
                    outcome = for_code(response.error_code)
                    if response.error_code and outcome is not UnknownMemberIdError:
                        raise outcome(f"{group} does not let {client} go")
                    left += 1
    return left


def _machine() -> str:
    try:
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        space = 0
    return f"{socket.gethostname()}.{space}"


def _began(pid: int) -> str:
    """When it was started, in ticks since the machine was; "" if it has ended, or the system does not tell (then no
    client id says a time, and nobody is taken for gone)."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]
