"""Applications, sites, and the roles that people hold: the directory's records of what can be given besides groups.

The rooms are those of a service; decisions stand with the directory's others (`services.directory.decide`). A role is
one line of a person's held roles, whatever it is a role of, so app role assignments, owners and directory roles are
lists over one collection.
"""
