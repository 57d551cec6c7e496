"""The machines of a validation: as EC2 knows them, a way into them, and what runs there on our behalf."""
