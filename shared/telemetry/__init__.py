"""What an operator sees: logs and metrics. No names, mails or attribute values leave through here."""
