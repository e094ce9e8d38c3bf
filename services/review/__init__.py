"""Review owns access reviews: campaigns in which those who know confirm who still needs what, and what follows.

Owns: definitions, instances, items (one person and one thing in one instance, with all that was decided about it); its
own copy of what reviewers and names are read from: people, memberships, owners, groups, applications, packages.
Hears: REVIEW_COMMANDS (of its own: a definition begins an instance), DIRECTORY_ROSTERS, ASSIGNMENT_ROSTERS and
CATALOG_ROSTERS (who has what is reviewed), PERSON_FACTS, MEMBERSHIP_FACTS, HELD_ROLE_FACTS, HOLDING_FACTS (who reviews;
answers to what was commanded), GROUP_FACTS, APPLICATION_FACTS, PACKAGE_FACTS, RESOURCE_FACTS (names, and what a review
could be about), POLICY_FACTS (what rules give; whose review settings a definition follows), SIGN_IN_FACTS
(recommendations), ROLE_ASSIGNMENT_FACTS (who keeps a catalog), its own REVIEW_INSTANCE_FACTS (how far a definition is).
Says: REVIEW_DEFINITION_FACTS, REVIEW_INSTANCE_FACTS, REVIEW_ITEM_FACTS, REVIEW_COMMANDS; DIRECTORY_ROSTER_QUESTIONS,
ASSIGNMENT_ROSTER_QUESTIONS and CATALOG_ROSTER_QUESTIONS; MEMBERSHIP_COMMANDS, GROUP_COMMANDS, HELD_ROLE_COMMANDS,
ASSIGNMENT_COMMANDS and ROLE_ASSIGNMENT_COMMANDS, by which what was denied is taken away, and GUEST_COMMANDS, by which
denied guests are blocked and later deleted, each resent under its id until it is answered.
Answers: `/v1.0/identityGovernance/accessReviews`, the files of its history under `/v1.0/tenure/reviewHistory`,
`/v1.0/tenure/exceptions`, `/v1.0/tenure/reviewCoverage`.

Where to read: `shared/recurrence.py` (when), `scope.py` (what and by whom), then `decide/`: `definitions` begin
`instances`, which ask for a roster and lead `items` through stages, default decision and applying, some hundreds of
them a step. `history/` lists what was decided in a period, `exceptions.py` who was kept although something spoke
against it.
"""
