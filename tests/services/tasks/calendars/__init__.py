"""Calendars as rules of tasks."""
