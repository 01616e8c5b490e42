"""What training minimises, and what it is measured by."""
