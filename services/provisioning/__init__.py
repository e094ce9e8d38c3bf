"""Provisioning brings grants to the resources and knows how far each has come.

Owns: for each person the deliveries (one a resource role: wanted, version, status), and the memberships and held roles
it has heard of.
Hears: HOLDING_FACTS (what is due), MEMBERSHIP_FACTS and HELD_ROLE_FACTS (answers to its commands, and what was there
already), GROUP_FACTS, APPLICATION_FACTS and SITE_FACTS (deleted ones), PERSON_FACTS (which callers have left).
Says: DELIVERY_FACTS (what was settled or failed); MEMBERSHIP_COMMANDS and HELD_ROLE_COMMANDS, all wishes of a
decision in one, each wish asked again under its id until it is answered.
Answers: `GET /v1.0/tenure/people/{id}/deliveries`, `GET /v1.0/tenure/reconciliation`, `POST …/reconciliation/repair`.

Versions only grow and nothing is deleted, so a late "give" cannot undo a newer "take". What was there before Tenure is
found access: it is listed, and never taken away.
"""
