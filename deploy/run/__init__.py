"""Puts a process together: which services it runs, on which servers, behind which HTTP application.

The all-in-one run (`all_in_one`) and a service alone (`alone`) are the same services, assembled by the same functions.
"""
