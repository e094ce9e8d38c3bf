"""Addresses that the mail catcher reads by itself mean what they mean to the library."""

from __future__ import annotations

import pytest
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP

from deploy.mailcatcher.smtp import plain_address

PLAIN = (
    "<a@b.example>",
    " <first.last+tag@mail-1.example>",
    "<a@b.example> SIZE=12 BODY=8BITMIME",
    "<a@b.example>SMTPUTF8",
    "<a@b> what is no parameter>",
)
OTHERS = (
    "",
    "<>",
    "a@b.example",
    "<a@>",
    '<"a b"@b.example>',
    "<@relay.example:a@b.example>",
    "<é@b.example>",
    "<a..b@b>",
)


@pytest.mark.parametrize("said", PLAIN)
def test_plain_ones_are_read_as_the_library_reads_them(said: str) -> None:
    assert plain_address(said) == SMTP(Sink(), hostname="here")._getaddr(said)


@pytest.mark.parametrize("said", OTHERS)
def test_the_others_are_left_to_it(said: str) -> None:
    assert plain_address(said) is None
