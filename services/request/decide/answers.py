"""What is asked of somebody who wants a package, and whether it is answered as it is asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import regex  # type: ignore[import-untyped]

from services.request.decide.scene import Person, Scene
from shared.contracts.base import Refusal
from shared.contracts.catalog import PolicyState
from shared.contracts.policy import Answer, Question

TIME_OUT_S = 0.1
"""Of processor time for one answer; a sane pattern takes microseconds."""


def questions(package_id: str, person: Person, policy: PolicyState, scene: Scene) -> tuple[Question, ...]:
    """Those of the policy, then those of the package's resources (CAT-6).

    What the directory has of the person already is not asked again where it may not be edited."""
    asked = {
        one.question.id: one.question
        for one in scene.attributes.get(package_id, ())
        if one.is_editable or person.attributes.get(one.name) in {None, ""}
    }
    return (*policy.questions, *asked.values())


def not_answered(questions: Iterable[Question], answers: Sequence[Answer]) -> Refusal | None:
    """The first reason against the answers: one is missing, fits no question, or is none that may be given."""
    asked = {one.id: one for one in questions}
    if refusal := _not_as_asked(asked, answers):
        return refusal
    given = {answer.question_id for answer in answers if answer.value.strip()}
    missing = next((one for one in asked.values() if one.is_required and one.id not in given), None)
    return _missing(missing) if missing else None


def not_editing(questions: Iterable[Question], answers: Sequence[Answer]) -> Refusal | None:
    """The first reason against answers that replace those of before: only these are looked at, and what has to be
    answered is not taken back."""
    editable = {one.id: one for one in questions if one.is_answer_editable}
    for answer in answers:
        question = editable.get(answer.question_id)
        if question is None:
            return _refusal("answerNotEditable", f"The answer to question {answer.question_id} cannot be changed.")
        if question.is_required and not answer.value.strip():
            return _missing(question)
    return _not_as_asked(editable, answers)


def _not_as_asked(asked: Mapping[str, Question], answers: Sequence[Answer]) -> Refusal | None:
    given: set[str] = set()
    for answer in answers:
        question = asked.get(answer.question_id)
        if question is None:
            return _refusal("unknownQuestion", f"No question {answer.question_id} is asked.")
        if question.id in given:
            return _refusal("answeredTwice", f"The question {question.id} is answered twice.")
        given.add(question.id)
        said = answer.value.strip()
        if said and (why := _not_fitting(question, said)):
            return _refusal("answerNotValid", f'The answer to "{question.text or question.id}" {why}.')
    return None


def _missing(question: Question) -> Refusal:
    return _refusal("answerMissing", f'The question "{question.text or question.id}" has to be answered.')


def _not_fitting(question: Question, said: str) -> str | None:
    if question.choices is not None:
        allowed = {_spaced(choice.actual_value) for choice in question.choices}
        chosen = _chosen(_spaced(said), allowed)
        if len(chosen) > 1 and not question.is_multiple_selection_allowed:
            return "is one of its choices, not several"
        return None if allowed.issuperset(chosen) else "is none of its choices"
    if question.regex_pattern and not _matches(question.regex_pattern, said):
        return "does not have the form that is asked for"
    return None


def _chosen(said: str, allowed: Collection[str]) -> list[str]:
    """What is between the commas, of which a choice may have some itself."""
    if said in allowed:
        return [said]
    rest, chosen = f",{said},", []
    for one in sorted((one for one in allowed if "," in one), key=len, reverse=True):
        if f",{one}," in rest:
            rest = rest.replace(f",{one},", ",")
            chosen.append(one)
    return chosen + (rest[1:-1].split(",") if len(rest) > 1 else [])


def _spaced(said: str) -> str:
    """The same without the blanks around commas."""
    return ",".join(part.strip() for part in said.split(","))


def _matches(pattern: str, said: str) -> bool:
    try:
        return regex.fullmatch(pattern, said, timeout=TIME_OUT_S) is not None
    except (TimeoutError, regex.error):
        return False


def _refusal(code: str, message: str) -> Refusal:
    return Refusal(code=code, message=message)
