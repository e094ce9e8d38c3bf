"""A mail server that delivers nowhere: it keeps what it got and shows it, as JSON for tests and as pages for people.

Stands in for a company's mail server in the embedded run and in compose. SMTP comes in, `GET /messages?to=` goes out.
What it has acknowledged is in the data folder and survives `kill -9`. A mail that
came twice is shown once, with a count.
"""

from deploy.mailcatcher.catcher import MailCatcher

__all__ = ["MailCatcher"]
