"""`tenure plan` and `tenure apply`: a file says what is to be; the difference is shown, then made.

`document` reads the file, `present` what is (through the HTTP API), `difference` compares the two (pure), `showing`
prints, `making` makes it so.
"""
