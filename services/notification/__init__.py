"""Notification tells people what they were given, what was taken away and what ends soon, who waits for their decision,
and what became of what they asked for; and whom access reviews ask, whom they report to, from whom they took something.

Owns: messages, one record a (event, recipient, channel); names of people, groups, packages and policies, for the texts.
Hears: HOLDING_FACTS (what happened), APPROVAL_FACTS (who is asked), REQUEST_FACTS (how it ended),
REVIEW_INSTANCE_FACTS (who reviews, how it ended), REVIEW_ITEM_FACTS (what was taken away, who is blocked),
PERSON_FACTS, GROUP_FACTS, PACKAGE_FACTS, POLICY_FACTS (who and what that is), HELD_ROLE_FACTS (what callers may see).
Says: NOTIFICATIONS (public), and mail.
Answers: `GET /v1.0/tenure/notifications?recipient=`, `GET /v1.0/tenure/notifications/summary`.

A record is written before its holding's offset is committed, under an id derived from the holding's fact; workers take
queued records under a lease and deliver them. One mail a person and cause lists all that it gave and took; what is said
of reviews to one person within some seconds is one mail, by review. Mail goes to the person, also to whoever has left,
as long as an address is known; without one the topic alone carries it. Suspension sends no mail: the packages stay, and
the person hears of it from whoever suspended them. Whoever was assigned directly is not told, a policy may say that
nobody is told of its assignments, and guests who have not accepted their invitation hear nothing of reviews.
A mail server that is away makes this service degraded, not unready: messages wait in the queue, and consuming goes on.
"""
