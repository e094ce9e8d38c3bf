"""What crosses a border between two services: the only code they share about each other.

One module an owner; `topics` is the table of all that is ever said. Contracts evolve by adding optional fields;
a breaking change is a new `ce_type` version published beside the old one.
"""
