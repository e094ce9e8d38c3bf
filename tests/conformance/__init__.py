"""How much of what is documented of Microsoft Graph a running Tenure does, and which numbered features are tried.

    python -m tests.conformance replay      # documented requests, replayed: `make conformance`
    python -m tests.conformance items       # numbered features: covered by a marked test, deviating, planned or open

An example passes if its request is accepted with the documented status and the answer has the documented properties
with values of the documented types. Which values, ids and dates come back is not looked at, except that what a request
writes has to be answered as it was written. What an example presumes (a package, an approval that waits, …) is made
through the API first, by builders that know resource types and nothing about any example: they read what the example's
path, query and body refer to, and what its answer shows.

How documented text is read where it cannot be taken to the letter:
- `/beta/` is asked as `/v1.0/`; keys in braces mean any thing of that type; ids may have lost their dashes
- an option that is cut off at a blank is not sent, and said so; what was expanded and selected behind it, or behind a
  path that is cut off, the answer tells by its context
- what a list has to show may lie on a later page of it
- answers of old pages show a few properties under their beta names; they are looked for under those of v1.0
- times ahead that have passed since are moved by whole years
- a text may be null where nobody wrote one; `@odata.type` is demanded where the address does not tell the type

Modules:
- `examples.py`   reads a file of examples, with the damage that such files have
- `addresses.py`  paths and queries: which part names what
- `references.py` which properties of a body refer to what
- `making.py`     builders, one a resource type
- `scene.py`      what one example presumes, and its request rewritten to it
- `shape.py`      whether an answer is as documented
- `replay.py`     sends and compares; `table.py` counts; `ground.py` has something to send it to
- `items.py`      the numbered features
"""
