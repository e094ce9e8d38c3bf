"""The demo company: its history as spells, the HR feed made from them, and what they say must come out.

It is a client like any other: it knows Tenure's public contracts (the HR topic, the file `tenure apply` reads) and
imports none of its code. `truth` in turn knows only the spells, so that the check at the end is independent.
"""
