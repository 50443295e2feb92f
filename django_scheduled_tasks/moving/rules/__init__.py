"""When other schedulers run what they were told, by their own rules; and how the same is said here."""
