"""Graph's JSON for a policy's questions: catalog says them with the policy, request with what one has to answer."""

from typing import Any

from shared.contracts.policy import Question
from shared.web.graph_model import ODATA_TYPE

TEXT, CHOICE = "accessPackageTextInputQuestion", "accessPackageMultipleChoiceQuestion"
"""The two types derived from accessPackageQuestion."""


def question_said(one: Question) -> dict[str, Any]:
    said: dict[str, Any] = {
        ODATA_TYPE: f"#microsoft.graph.{TEXT if one.choices is None else CHOICE}",
        "id": one.id,
        "sequence": one.sequence,
        "isRequired": one.is_required,
        "isAnswerEditable": one.is_answer_editable,
        "text": one.text,
        "localizations": [text.model_dump(by_alias=True) for text in one.localizations],
    }
    if one.choices is None:
        return {**said, "isSingleLineQuestion": one.is_single_line, "regexPattern": one.regex_pattern}
    return {
        **said,
        "isMultipleSelectionAllowed": one.is_multiple_selection_allowed,
        "choices": [choice.model_dump(by_alias=True) for choice in one.choices],
    }
