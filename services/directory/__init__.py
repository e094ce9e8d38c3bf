"""directory: people and their source identities, groups, and memberships (all of a person in one aggregate).

Owns: `people` (a person with the timeline of all that sources said of them), `groups`, `memberships` (by person),
`applications`, `sites`, `held_roles` (by person: app roles, roles of sites, directory roles, ownership), `sign_ins` (by
person: the last one, and the last use of each application), `organizations` (connected ones, with their sponsors),
`settings` (one document) and `role_definitions` (of directory roles, built in and made here).
Hears: HR_URGENT, HR_CHANGES and SIGN_INS (public, in three shapes), MEMBERSHIP_COMMANDS, HELD_ROLE_COMMANDS,
ANSWER_COMMANDS (what people answered for access), GUEST_COMMANDS and GROUP_COMMANDS (a review has denied a guest, or a
group inside another one); its own PERSON_FACTS, GROUP_FACTS and MEMBERSHIP_FACTS, for groups that a rule fills or that
are deleted;
DIRECTORY_ROSTER_QUESTIONS, of reviews; ROLE_ASSIGNMENT_FACTS (who keeps a catalog, and so may see settings and
subjects).
Says: PERSON_FACTS, GROUP_FACTS, MEMBERSHIP_FACTS, APPLICATION_FACTS, SITE_FACTS, HELD_ROLE_FACTS, SIGN_IN_FACTS,
ORGANIZATION_FACTS, SETTINGS_FACTS, ROLE_DEFINITION_FACTS, DIRECTORY_ROSTERS; HR_REJECTED for
whatever it could not take, or not yet; HR_CHANGES and HR_URGENT once more, for an identity that a human has linked to
another person.
Answers: `/v1.0/users` and `/v1.0/groups` (their deltas, too), `/v1.0/applications`, `/v1.0/servicePrincipals`,
`/v1.0/sites`, `/v1.0/directoryObjects`, `/v1.0/directory/deletedItems`, `/v1.0/invitations`,
`/v1.0/roleManagement/directory`, connected organisations, subjects and settings of entitlement management, and under
`/v1.0/tenure` sites, people with their sources, suspension and return, sign-ins, and identities of which a human has to
say who they are.

What is true of a person is never edited: it is folded from statements, so that late, repeated, reordered, future-dated,
corrected and rescinded changes all end in the right state: `timeline.py`. Sources and their authority: `sources.py`.
"""
