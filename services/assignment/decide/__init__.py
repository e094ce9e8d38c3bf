"""Pure decisions about holdings and rule jobs, one file an act; `settle` is what they all end in."""
