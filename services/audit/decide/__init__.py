"""Pure: what a record says (`record`), how it is chained (`chain`), whether it still is (`verify`), when something was
so (`spans`), and why (`explain`)."""
