"""Connected organisations with their sponsors, and the tenant's settings of entitlement management.

The directory owns both, for they say who outside people are and what becomes of them. Sponsors are references to people
and groups; what follows from an organisation for guests is not decided here. The rooms are those of a service;
decisions stand with the directory's others (`services.directory.decide`).
"""
