"""The scheduler: it starts what is due, and sends again or ends what a dead process left behind."""
