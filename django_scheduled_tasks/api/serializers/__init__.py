"""What requests and answers look like; rules are the services'."""
