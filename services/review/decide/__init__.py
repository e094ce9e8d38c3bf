"""Pure decisions about reviews: `definitions` (the series), `instances` (the course of one run), `items` (one person
and one thing), `reviewers` (who reviews what), `applying` (what is commanded, and what an answer means)."""
