"""Owns catalogs, the resources and custom extensions in them, access packages with their role sets, policies,
populations, and who may administer them (role assignments of entitlement management).

Hears: GROUP_FACTS, APPLICATION_FACTS and SITE_FACTS (what there is, for resources, and which roles), USE_ANSWERS
(assignment says whether a package or policy that is to be deleted is still needed), and its own CATALOG_FACTS,
PACKAGE_FACTS, POPULATION_FACTS and EXTENSION_FACTS (what lay inside something deleted is deleted, too; whoever made a
catalog owns it; no policy names an extension that is gone).
PERSON_FACTS, MEMBERSHIP_FACTS and HELD_ROLE_FACTS (who can be given roles, who has them by a group, what callers own).
CATALOG_ROSTER_QUESTIONS and ROLE_ASSIGNMENT_COMMANDS (a review asks who has a role, and that it be taken away).
Says: CATALOG_FACTS, RESOURCE_FACTS, PACKAGE_FACTS, POLICY_FACTS, POPULATION_FACTS, EXTENSION_FACTS,
ROLE_ASSIGNMENT_FACTS, CATALOG_ROSTERS.

A rule is parsed before it is kept, so whoever hears a policy can rely on it. Deletion is two-phase: a package or policy
asks assignment, by its fact, and asks again until it is answered; a catalog, resource or population looks at what this
service itself keeps. `graph` is the one place where Graph's JSON meets the aggregates; `bulk` takes many changes at
once, for `tenure apply`.
"""
