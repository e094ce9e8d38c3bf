"""directory: people and their source identities, groups, and memberships (each an aggregate of its own).

Owns: `people` (a person with the timeline of all that sources said of them), `groups`, `memberships` (keyed by person).
Hears: `hr.attribute-changes` and `hr.urgent` (public, in three shapes), membership commands in both lanes.
Says: person, group and membership facts; `hr.attribute-changes.rejected` for whatever it could not take, or not yet.
Answers: `/v1.0/users`, `/v1.0/groups`, and under `/v1.0/tenure` people with their sources, suspension and return.

What is true of a person is never edited: it is folded from statements, so that late, repeated, reordered, future-dated,
corrected and rescinded changes all end in the right state. Sources and their authority: `sources.py`.

"""
