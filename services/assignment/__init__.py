"""Assignment owns holdings: for each person every live assignment and every grant, in one document.

Owns: holdings, ended assignments (history), rule jobs; its own copy of packages (role sets), policies (rules),
populations and memberships, beside one epoch; of requests and approvals, to say why something is held; of catalogs, to
say in which a package lies; and of connected organisations, for whose guests an assignment is.
Hears: ASSIGNMENT_COMMANDS (what requests and reviews ask for), PERSON_FACTS, MEMBERSHIP_FACTS, DELIVERY_FACTS,
CATALOG_FACTS, PACKAGE_FACTS, POLICY_FACTS, POPULATION_FACTS, REQUEST_FACTS, APPROVAL_FACTS, ORGANIZATION_FACTS,
HELD_ROLE_FACTS and ROLE_ASSIGNMENT_FACTS (what callers may do); ASSIGNMENT_ROSTER_QUESTIONS (who holds a package, for a
review).
Says: HOLDING_FACTS, RULE_JOB_FACTS, USE_ANSWERS, ASSIGNMENT_ROSTERS.

Where to read: `model.py` (what a holding is), `rulebook.py` (rules as decisions see them), `decide/settle.py` (what is
due to a person), then one file an act beside it. `store.py` says how a rule change and a person change never miss each
other.
"""
