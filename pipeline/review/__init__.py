"""What an update would do, for the people who review it: read from a preview, written as a note, posted."""
