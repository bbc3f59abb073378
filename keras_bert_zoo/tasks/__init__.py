"""The tasks: one file each, all on `task.Task`."""
