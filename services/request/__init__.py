"""Request owns requests: somebody asks to add, change or remove an assignment, and learns how far it has come.

Owns: requests; its own copy of what one may ask for and be refused for: packages, resources, policies, populations,
catalogs, people, memberships, and who holds which package; and of connected organisations, whose guests ask.
Hears: PACKAGE_FACTS, RESOURCE_FACTS, POLICY_FACTS, POPULATION_FACTS, CATALOG_FACTS, PERSON_FACTS, MEMBERSHIP_FACTS
(what it decides by), APPLICATION_FACTS, SITE_FACTS, SETTINGS_FACTS, ORGANIZATION_FACTS (what people are shown of it),
HOLDING_FACTS (who holds what, and how far assignment is with what was asked of it), APPROVAL_FACTS (who is asked, and
what they said), HELD_ROLE_FACTS and ROLE_ASSIGNMENT_FACTS (what callers may do).
Says: REQUEST_FACTS; APPROVAL_COMMANDS and ASSIGNMENT_COMMANDS, each resent under its id until it is answered;
ANSWER_COMMANDS, by which answers that a resource asked for become properties of the person while they have access.
Answers: `/v1.0/identityGovernance/entitlementManagement/assignmentRequests`, `…/availableAccessPackages` and
`…/accessPackageSuggestions`.

A request is decided under the policy as it was when it was made: what of the policy is still needed stands in the
request. Assignment has the last word on what is held (twice, or against separation of duties); what is refused here
already is refused so that whoever asks hears it at once. What waits for approval ends as soon as the person has left
or the package or policy is deleted: nothing could come of it, so nobody is asked about it any longer.
"""
