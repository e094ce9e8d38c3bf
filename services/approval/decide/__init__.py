"""Pure decisions about approvals: `approvers` (who is asked), `stages` (begin, decide, escalate, time out)."""
