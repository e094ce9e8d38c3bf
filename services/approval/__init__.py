"""Approval owns approvals: the one to three stages that decide a request, who is asked in each, and what they said.

Owns: approvals; its own copy of whom rules about approvers lead to: people with their managers, and memberships.
Hears: APPROVAL_COMMANDS (begin, withdraw), PERSON_FACTS and MEMBERSHIP_FACTS (an approver left, a manager changed: who
is asked follows), HELD_ROLE_FACTS (what callers may see).
Says: APPROVAL_FACTS, the answer to each command among them.
Answers: `/v1.0/identityGovernance/entitlementManagement/accessPackageAssignmentApprovals`.

Stages go in order; one decision completes a stage, and the first one counts. Silence denies when the time of a stage is
over. Whoever asked, or is to get the access, never decides.
"""
