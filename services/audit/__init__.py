"""Audit: everything that is ever said, in hash chains that show whether somebody touched them, and answers from them.

Owns: the trail (one chain a topic and partition), its signed checkpoints, and the names of people, packages, groups and
policies for its answers. From when to when people held packages and were members of groups is read from the trail.
Hears: every topic but TRAIL_HEADS.
Says: TRAIL_HEADS (signed heads of the chains).

What is personal lies beside the chain under a salted commitment, so that a person can be erased and the chain still
verifies. The chain itself names people by id only.

Evidence of a review (`/v1.0/tenure/reviewEvidence/{instance}`, `evidence.py`) is made here and not by review: the
trail is the witness, so nothing has to be asked of whoever is being examined, and no service of another.
"""
