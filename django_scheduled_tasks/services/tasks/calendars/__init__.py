"""Calendars: made, changed and deleted, declared in code, read from ICS files, and where they are used."""
