"""History definitions: lists of what was decided in the reviews of a period, to be downloaded as CSV.

Each run (Graph calls it an instance) has a period; its file is read off the items as it is downloaded, so it is never
held as a whole, and says what is so at that moment. Where to read: `model.py` (a definition and its runs), `decide.py`
(made, run by timer, linked to), `report.py` (the columns), `graph.py` and `api.py`.
"""
