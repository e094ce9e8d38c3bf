"""Whether a policy's questions are answered as it asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import regex  # type: ignore[import-untyped]

from shared.contracts.base import Refusal
from shared.contracts.policy import Answer, Question

TIME_OUT_S = 0.1
"""Of processor time for one answer; a sane pattern takes microseconds."""


def not_answered(questions: Iterable[Question], answers: Sequence[Answer]) -> Refusal | None:
    """The first reason against the answers: one is missing, fits no question, or is none that may be given."""
    asked = {one.id: one for one in questions}
    given: dict[str, str] = {}
    for answer in answers:
        if answer.question_id not in asked:
            return _refusal("unknownQuestion", f"The policy asks no question {answer.question_id}.")
        if answer.question_id in given:
            return _refusal("answeredTwice", f"The question {answer.question_id} is answered twice.")
        given[answer.question_id] = answer.value
    for question in asked.values():
        said = given.get(question.id, "").strip()
        if not said:
            if question.is_required:
                return _refusal("answerMissing", f'The question "{question.text or question.id}" has to be answered.')
            continue
        if why := _not_fitting(question, said):
            return _refusal("answerNotValid", f'The answer to "{question.text or question.id}" {why}.')
    return None


def _not_fitting(question: Question, said: str) -> str | None:
    if question.choices is not None:
        allowed = {choice.actual_value for choice in question.choices}
        chosen = [said] if said in allowed else [part.strip() for part in said.split(",")]
        if len(chosen) > 1 and not question.is_multiple_selection_allowed:
            return "is one of its choices, not several"
        return None if allowed.issuperset(chosen) else "is none of its choices"
    if question.regex_pattern and not _matches(question.regex_pattern, said):
        return "does not have the form that is asked for"
    return None


def _matches(pattern: str, said: str) -> bool:
    try:
        return regex.fullmatch(pattern, said, timeout=TIME_OUT_S) is not None
    except (TimeoutError, regex.error):
        return False


def _refusal(code: str, message: str) -> Refusal:
    return Refusal(code=code, message=message)
