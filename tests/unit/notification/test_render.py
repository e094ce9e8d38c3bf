"""Texts, and the mail they become: nobody's name breaks out of a line, a header or a tag."""

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notification.channels import Letter
from services.notification.channels.mail import MailOutlet
from services.notification.model import Channel, Event, Item, Known, Message, Person, Why
from services.notification.render import Renderer
from shared.settings import Settings

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
ANA = Person("ana", 1, "Žofia <b>Ny</b>", "ana@example.com", "ana@corp.example")
NAMES = {"p1": "Łódź & Sales", "p2": "Support"}
KNOWN = Known({"ana": ANA}, NAMES, {"rule": "Everyone in Sales"}, {"why": "your department is now Sales"}, {})
RENDERER = Renderer("https://tenure.example.com/")
OUTLET = MailOutlet(Settings(smtp_sender="Tenure <tenure@example.com>"))


def message(event: Event, *items: Item) -> Message:
    why = Why("why", "hr-1", "source:hr")
    return Message("m1", event, Channel.MAIL, "ana", "holding:ana:1", 1, why, items, NOW)


def item(change: str, package: str = "p1", ends_at: datetime | None = None) -> Item:
    return Item(change, package, "rule", f"a-{package}", ends_at, "noLongerMatches" if change == "taken" else "")  # type: ignore[arg-type]


BOTH = message(Event.CHANGED, item("given"), item("taken", "p2"))


def parsed(one: Message, known: Known = KNOWN) -> EmailMessage:
    raw = OUTLET.mime(Letter(one, known.people["ana"], RENDERER.render(one, known, NOW)))
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    assert not read.defects
    return read


def test_a_text_says_what_why_by_which_rule_and_where_to_look() -> None:
    text = RENDERER.render(BOTH, KNOWN, NOW)
    assert text.subject == "Your access has changed: 1 given, 1 ended"
    for said in (
        "Your department is now Sales, so your access has changed.",
        '* Łódź & Sales (by "Everyone in Sales")',
        '* Support: the rule "Everyone in Sales" no longer fits you',
        "https://tenure.example.com/v1.0/identityGovernance/entitlementManagement/assignments/filterByCurrentUser(on='target')",
    ):
        assert said in text.text


@pytest.mark.parametrize(
    ("one", "subject"),
    [
        (message(Event.GIVEN, item("given")), "You have access to Łódź & Sales"),
        (message(Event.GIVEN, item("given"), item("given", "p2")), "You have access to Support and Łódź & Sales"),
        (message(Event.GIVEN, *[item("given")] * 3), "You have access to Łódź & Sales and 2 more"),
        (message(Event.TAKEN, item("taken", "p2")), "Your access to Support has ended"),
        (message(Event.TAKEN, item("taken", "unknown-id")), "Your access to unknown-id has ended"),
    ],
)
def test_subjects(one: Message, subject: str) -> None:
    assert RENDERER.render(one, KNOWN, NOW).subject == subject
    assert parsed(one)["Subject"] == subject


def test_a_reminder_says_until_when_and_leaves_out_what_has_ended() -> None:
    ends_at = NOW + timedelta(days=7)
    text = RENDERER.render(
        message(Event.ENDS_SOON, item("endsSoon", ends_at=ends_at), item("endsSoon", "p2", NOW)), KNOWN, NOW
    )
    assert text.subject == "Your access to Łódź & Sales ends soon"
    assert (
        "  * Łódź & Sales, on 8 March 2026, 09:00 UTC\n\nIf you still need it, ask whoever is responsible" in text.text
    )
    assert text.due_at == ends_at


@pytest.mark.spec("EXP-3")
def test_whoever_may_extend_what_ends_reads_that() -> None:
    ends_at = NOW + timedelta(days=14)
    by_hand = replace(item("endsSoon", "p2", ends_at), policy_id="other")
    known = replace(KNOWN, extends=frozenset({"rule"}))
    own = RENDERER.render(message(Event.ENDS_SOON, item("endsSoon", ends_at=ends_at)), known, NOW)
    both = RENDERER.render(message(Event.ENDS_SOON, item("endsSoon", ends_at=ends_at), by_hand), known, NOW)
    for text, said in ((own, "ask to extend it before then."), (both, "before then where that is offered, or ask")):
        assert said in text.text
        assert said in text.html


def test_an_approver_reads_who_asks_for_what_until_when_and_where_to_decide() -> None:
    asked = Item("asked", "p1", "rule", "", NOW + timedelta(days=14), person_id="ben", request_id="r1")
    known = replace(KNOWN, people={"ana": ANA, "ben": Person("ben", 1, "Ben & Co")})
    one = message(Event.APPROVAL_ASKED, asked)
    text = RENDERER.render(one, known, NOW)
    assert text.subject == "Approve or deny by 15 March 2026, 09:00 UTC: Ben & Co asks for Łódź & Sales"
    assert "accessPackageAssignmentApprovals/r1/stages" in text.text
    assert text.due_at == asked.ends_at
    assert "Ben &amp; Co" in text.html
    assert parsed(one, known)["Subject"] == text.subject


@pytest.mark.parametrize(
    ("event", "change", "subject"),
    [
        (Event.REQUEST_DENIED, "denied", "Your request for Support was denied"),
        (Event.REQUEST_EXPIRED, "expired", "Your request for Support has expired"),
        (Event.REQUEST_FAILED, "failed", "Your request for Support could not be fulfilled"),
    ],
)
def test_a_requestor_reads_how_it_ended_and_why(event: Event, change: str, subject: str) -> None:
    ended = Item(change, "p2", "rule", "a1", detail="Not in your team.", person_id="ana", request_id="r1")  # type: ignore[arg-type]
    text = RENDERER.render(message(event, ended), KNOWN, NOW)
    assert text.subject == subject
    assert "Your request for Support has ended without access: Not in your team." in text.text
    assert "assignmentRequests/r1" in text.text


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ('Denied in the review "Quarterly": She has <moved>.', 'it was removed: Denied in the review "Quarterly": She'),
        ("", "it was removed\n"),
    ],
)
def test_whoever_loses_access_reads_why_in_the_words_of_whoever_took_it(detail: str, said: str) -> None:
    """PKR-6: what a review of packages denies is told by the assignment that it ends."""
    gone = replace(item("taken", "p2"), reason="removed", detail=detail)
    text = RENDERER.render(message(Event.TAKEN, gone), KNOWN, NOW)
    assert f"  * Support: {said}" in text.text
    assert "<moved>" not in text.html


def test_html_is_escaped_and_loads_nothing() -> None:
    html = RENDERER.render(BOTH, KNOWN, NOW).html
    assert "Žofia &lt;b&gt;Ny&lt;/b&gt;" in html
    assert "src=" not in html
    assert "url(" not in html
    assert 'name="color-scheme" content="light dark"' in html


def test_a_mail_is_the_same_each_time_and_says_that_a_machine_wrote_it() -> None:
    first, again = parsed(BOTH), parsed(BOTH)
    assert first.as_bytes() == again.as_bytes()
    assert first["Message-ID"] == "<m1@example.com>"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["To"] == "ana@example.com"
    assert [part.get_content_type() for part in first.iter_parts()] == ["text/plain", "text/html"]
    plain = first.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().replace("\r\n", "\n") == RENDERER.render(BOTH, KNOWN, NOW).text


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_name_breaks_out_of_its_header_or_its_part(package: str, person: str) -> None:
    known = replace(KNOWN, packages={"p1": package}, people={"ana": replace(ANA, name=person)})
    mail = parsed(message(Event.GIVEN, item("given")), known)
    assert len(mail.keys()) == 10
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.parametrize(
    ("event", "item", "subject", "said"),
    [
        (
            Event.APPROVAL_REMINDED,
            Item(
                "asked", "p1", "rule", "", NOW + timedelta(days=1), detail="I sell.", person_id="ben", request_id="r1"
            ),
            "Reminder: approve or deny by 2 March 2026, 09:00 UTC: Ben asks for Łódź & Sales",
            "Ben says: I sell.",
        ),
        (
            Event.APPROVAL_DECIDED,
            Item(
                "decided", "p1", "rule", "", reason="denied", detail="No.", person_id="ben", request_id="r1", by="eva"
            ),
            "Ben's request for Łódź & Sales was denied",
            "Eva has denied it: No.",
        ),
        (
            Event.APPROVAL_EXPIRED,
            Item("lapsed", "p1", "rule", "", person_id="ben", request_id="r1"),
            "Ben's request for Łódź & Sales has expired",
            "Nobody decided in time",
        ),
        (
            Event.REQUEST_APPROVED,
            Item("approved", "p1", "rule", "", person_id="ana", request_id="r1"),
            "Your request for Łódź & Sales was approved",
            "Access follows.",
        ),
    ],
)
def test_what_became_of_a_request_is_told_with_a_link(event: Event, item: Item, subject: str, said: str) -> None:
    known = replace(KNOWN, people={"ana": ANA, "ben": Person("ben", 1, "Ben"), "eva": Person("eva", 1, "Eva")})
    one = message(event, item)
    text = RENDERER.render(one, known, NOW)
    assert text.subject == subject
    assert said in text.text
    assert "r1" in (text.link or "")
    assert (text.link or "") in text.text
    assert parsed(one, known)["Subject"] == subject


@pytest.mark.spec("ML-2")
def test_a_text_leaves_out_what_a_policy_keeps_quiet_about() -> None:
    hush = replace(BOTH, items=(replace(BOTH.items[0], policy_id="hush"), BOTH.items[1]))
    text = RENDERER.render(hush, replace(KNOWN, silent=frozenset({"hush"})), NOW)
    assert text.subject == "Your access to Support has ended"
    assert "Łódź" not in text.text
