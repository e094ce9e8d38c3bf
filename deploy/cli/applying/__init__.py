"""`tenure plan`, `tenure apply` and `tenure export`: a file says what is to be; the difference is shown, then made.

`document` reads the file, `present` what is (through the HTTP API), `difference` compares the two (pure), `showing`
prints, `making` makes it so, `exporting` writes what is as a file. `asking` is the part of a policy that is about those
who ask, `contained` what lies in a catalog beside its packages; `naming` knows which name means which id.
"""
