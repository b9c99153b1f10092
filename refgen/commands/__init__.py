"""The commands of the command line, a file a topic; each imports click alone until it runs."""
