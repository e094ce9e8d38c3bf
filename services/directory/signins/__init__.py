"""Who last signed in when, and last to which application: the directory's record of use.

An aggregate of its own by person, so that it neither makes a person fact nor wakes a rule. Reported by topic
(`hr.sign-ins`) or over HTTP; shown as Graph's `signInActivity`; told on SIGN_IN_FACTS, from which reviews recommend.
"""
